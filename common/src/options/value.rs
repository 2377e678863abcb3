//! An option's value, and a struct of them: what each can do.

use super::field::Field;
use super::flags::{POSITIONALS, ValueParser};
use crate::json::{Decode, JsonError};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches};

/// The name of the value of a bool flag, which only help shows.
pub const BOOL: &str = "BOOL";

/// The value of a row.
pub trait Value: Decode {
    /// The arguments of a command line that set the option; help says that
    /// `default` is in force without them.
    fn args(&self, field: &'static Field, default: &str) -> Vec<Arg>;

    /// Takes what a command line gives; returns whether it gives anything.
    fn set_flags(&mut self, field: &'static Field, matches: &ArgMatches) -> Result<bool, JsonFlagError>;

    /// The value as JSON, as Go writes it.
    fn json(&self) -> String;

    /// The value for people; empty when there is none.
    fn shown(&self) -> String;

    /// Reports whether the value is a list, so that its flag may be repeated.
    fn is_list(&self) -> bool {
        false
    }

    /// The objects in the value: none, itself, or those of a list.
    fn objects(&self) -> Vec<&dyn Options> {
        Vec::new()
    }

    /// The value itself where it is an object.
    fn object_mut(&mut self) -> Option<&mut dyn Options> {
        None
    }

    /// An object with initial values, where the value is an object or a list of them.
    fn template(&self) -> Option<Box<dyn Options>> {
        None
    }
}

/// A type whose value one argument gives. Such a type, an `Option` and a
/// `Vec` of it are [`Value`]s.
pub trait Single: Decode + Clone + Default + PartialEq + Send + Sync + 'static {
    /// The name of the value in help texts.
    const VALUE_NAME: &'static str;

    /// The parser of one argument; it gives `Self`, except for objects.
    fn parser() -> ValueParser;

    /// See [`Value::json`].
    fn json(&self) -> String;

    /// See [`Value::shown`].
    fn shown(&self) -> String;

    /// The values that a command line gives.
    fn given(field: &'static Field, matches: &ArgMatches) -> Result<Vec<Self>, JsonFlagError> {
        Ok(typed(field, matches))
    }

    /// Itself, where it is an object.
    fn object(&self) -> Option<&dyn Options> {
        None
    }

    /// Itself, where it is an object.
    fn object_mut(&mut self) -> Option<&mut dyn Options> {
        None
    }
}

/// The values of a flag and of positional arguments, where a command line, or
/// a default of the flag, gives any.
pub(super) fn typed<T: Clone + Send + Sync + 'static>(field: &Field, matches: &ArgMatches) -> Vec<T> {
    let mut values = Vec::new();
    let positionals = if field.positional.is_empty() { "" } else { POSITIONALS };
    for id in [field.flag, positionals] {
        if is_given(id, field, matches) {
            values.extend(matches.get_many::<T>(id).into_iter().flatten().cloned());
        }
    }
    values
}

/// Reports whether a command line, or a default of the flag, gives the argument. A
/// command may leave out arguments of options that it does not offer.
pub(super) fn is_given(id: &str, field: &Field, matches: &ArgMatches) -> bool {
    let counts = |source| source == ValueSource::CommandLine || field.flag_default.is_some();
    matches.try_contains_id(id).unwrap_or(false) && matches.value_source(id).is_some_and(counts)
}

/// A struct of [`options!`](crate::options!).
pub trait Options {
    /// All options with their values, in the order in which Go encodes them.
    fn rows(&self) -> Vec<(&'static Field, &dyn Value)>;

    /// All options with their values, to be changed.
    fn rows_mut(&mut self) -> Vec<(&'static Field, &mut dyn Value)>;

    /// The same object with initial values.
    fn initial(&self) -> Box<dyn Options>;
}

/// The arguments of a command line that set these options.
pub fn args(options: &dyn Options) -> Vec<Arg> {
    let args = |(field, value): (&'static Field, &dyn Value)| {
        value.args(field, &field.in_force().unwrap_or_else(|| value.shown()))
    };
    options.rows().into_iter().flat_map(args).collect()
}

/// Sets the options that a command line with [`args`], or some of them, gives;
/// the others stay as they are.
pub fn fill(options: &mut dyn Options, matches: &ArgMatches) -> Result<(), JsonFlagError> {
    for (field, value) in options.rows_mut() {
        value.set_flags(field, matches)?;
    }
    Ok(())
}

/// A flag whose value is JSON that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonFlagError {
    /// The JSON is wrong.
    #[error("--{flag}: {error}")]
    Json {
        /// The flag's name.
        flag: &'static str,
        /// The reason.
        error: JsonError,
    },
    /// A key that the object does not have: unlike in a document of another
    /// program, it can only be a mistake.
    #[error("--{flag}: the key {key:?}: allowed is {allowed}")]
    UnknownKey {
        /// The flag's name.
        flag: &'static str,
        /// The key.
        key: String,
        /// The object's keys.
        allowed: String,
    },
}
