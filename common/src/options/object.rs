//! A struct of options as a whole.

use super::field::{Field, Shape};
use super::flags::ValueParser;
use super::value::{Single, Value, typed};
use crate::json::{self, Document, JsonError, Member, to_go_string};
use crate::quote::shortened;
use clap::{Arg, ArgMatches, value_parser};
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// A struct of [`options!`](crate::options!).
pub trait Options {
    /// All options with their values, in the order in which Go encodes them.
    fn rows(&self) -> Vec<(&'static Field, &dyn Value)>;

    /// All options with their values, to be changed.
    fn rows_mut(&mut self) -> Vec<(&'static Field, &mut dyn Value)>;

    /// The same object with initial values.
    fn initial(&self) -> Box<dyn Options>;
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

fn members(options: &mut dyn Options) -> Vec<Member<'_>> {
    let mut found = Vec::new();
    for (field, value) in options.rows_mut() {
        if let Shape::Inline(_) = field.shape {
            found.extend(value.object_mut().map(members).unwrap_or_default());
        } else if !field.key.is_empty() {
            found.push(Member::new(field.key, value));
        }
    }
    found
}

impl<T: Options> Document for T {
    fn members(&mut self) -> Vec<Member<'_>> {
        members(self)
    }
}

/// Writes an object by Go's rules (contract O-18): in the order of the rows,
/// without what has its initial value.
pub fn encode<S: Serializer>(options: &dyn Options, serializer: S) -> Result<S::Ok, S::Error> {
    let mut members = Vec::new();
    written(options, &mut members);
    let raw = |(key, text)| RawValue::from_string(text).map(|raw| (key, raw));
    let members: Result<Vec<(&str, _)>, _> = members.into_iter().map(raw).collect();
    serializer.collect_map(members.map_err(S::Error::custom)?)
}

fn written(options: &dyn Options, found: &mut Vec<(&'static str, String)>) {
    let initial = options.initial();
    for ((field, value), (_, initial)) in options.rows().into_iter().zip(initial.rows()) {
        if let Shape::Inline(_) = field.shape {
            value.objects().into_iter().for_each(|object| written(object, found));
        } else if !field.key.is_empty() {
            let text = value.json();
            if field.is_always_written || text != initial.json() {
                found.push((field.key, text));
            }
        }
    }
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

impl<T: Options + Serialize + Clone + Default + PartialEq + Send + Sync + 'static> Single for T {
    const VALUE_NAME: &'static str = "JSON";

    fn parser() -> ValueParser {
        value_parser!(String)
    }

    fn json(&self) -> String {
        to_go_string(self)
    }

    fn shown(&self) -> String {
        to_go_string(self)
    }

    fn given(field: &'static Field, matches: &ArgMatches) -> Result<Vec<Self>, JsonFlagError> {
        let texts: Vec<String> = typed(field, matches);
        texts.iter().map(|text| decode_flag(field.flag, text)).collect()
    }

    fn object(&self) -> Option<&dyn Options> {
        Some(self)
    }

    fn object_mut(&mut self) -> Option<&mut dyn Options> {
        Some(self)
    }
}

/// Reads the object that is the value of a flag.
fn decode_flag<T: Options + Default>(flag: &'static str, text: &str) -> Result<T, JsonFlagError> {
    let mut object = T::default();
    let notes = json::decode(&mut object, text).map_err(|error| JsonFlagError::Json { flag, error })?;
    match notes.unknown_keys().first() {
        None => Ok(object),
        Some(key) => {
            let keys: Vec<_> = members(&mut object).iter().map(|member| member.key).collect();
            Err(JsonFlagError::UnknownKey { flag, key: shortened(key), allowed: keys.join(", ") })
        }
    }
}
