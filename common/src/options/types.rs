//! The types that options can have: how clap reads and JSON writes them.

use super::field::{Field, Shape};
use super::flags::{POSITIONALS, ValueParser};
use super::value::{BOOL, JsonFlagError, Options, Single, Value, args, fill, is_given, typed};
use crate::duration::GoDuration;
use crate::json::to_go_string;
use crate::signal::Signal;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Arg, ArgAction, ArgMatches, value_parser};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::str::FromStr;

/// The arguments of an option that is no object with flags of its own.
fn own_args(
    field: &'static Field,
    value_name: &'static str,
    parser: &ValueParser,
    is_list: bool,
    default: &str,
) -> Vec<Arg> {
    let mut args = Vec::new();
    if !field.flag.is_empty() {
        let name = if field.value_name.is_empty() { value_name } else { field.value_name };
        let mut help = field.help().to_owned();
        if is_list {
            help += "; may be repeated";
        }
        // clap itself shows those of bools and of flags.
        if !default.is_empty() && field.flag_default.is_none() && name != BOOL {
            help = format!("{help} [default: {default}]");
        }
        let arg = Arg::new(field.flag).long(field.flag).value_name(name).help(help);
        let arg = if is_list { arg.action(ArgAction::Append) } else { arg };
        args.push(arg.value_parser(parser.clone()).default_values(field.flag_default));
    }
    if !field.positional.is_empty() {
        let arg = Arg::new(POSITIONALS).value_name(field.positional).help(field.help()).num_args(0..);
        args.push(arg.value_parser(parser.clone()));
    }
    args
}

/// The arguments of an object's options, and the flag that makes it present.
fn object_args(field: &'static Field, object: &dyn Options, heading: &'static str) -> Vec<Arg> {
    let switch = own_args(field, BOOL, &value_parser!(bool), false, "");
    let under = |arg: Arg| {
        let stays = arg.get_help_heading().is_some() || arg.is_positional() || heading.is_empty();
        if stays { arg } else { arg.help_heading(heading) }
    };
    switch.into_iter().chain(args(object)).map(under).collect()
}

impl<T: Single> Value for T {
    fn args(&self, field: &'static Field, default: &str) -> Vec<Arg> {
        match (field.shape, self.object()) {
            (Shape::Object(heading) | Shape::Inline(heading), Some(object)) => {
                object_args(field, object, heading)
            }
            (Shape::Object(_) | Shape::Inline(_) | Shape::Json | Shape::Value, _) => {
                own_args(field, T::VALUE_NAME, &T::parser(), false, default)
            }
        }
    }

    fn set_flags(&mut self, field: &'static Field, matches: &ArgMatches) -> Result<bool, JsonFlagError> {
        if matches!(field.shape, Shape::Object(_) | Shape::Inline(_))
            && let Some(object) = Single::object_mut(self)
        {
            fill(object, matches)?;
            let is_switched = is_given(field.flag, field, matches) && matches.get_flag(field.flag);
            return Ok(is_switched || *self != Self::default());
        }
        let last = T::given(field, matches)?.pop();
        let is_given = last.is_some();
        if let Some(last) = last {
            *self = last;
        }
        Ok(is_given)
    }

    fn json(&self) -> String {
        Single::json(self)
    }

    fn shown(&self) -> String {
        Single::shown(self)
    }

    fn objects(&self) -> Vec<&dyn Options> {
        self.object().into_iter().collect()
    }

    fn object_mut(&mut self) -> Option<&mut dyn Options> {
        Single::object_mut(self)
    }

    fn template(&self) -> Option<Box<dyn Options>> {
        self.object().map(Options::initial)
    }
}

impl<T: Value + Default + PartialEq> Value for Option<T> {
    fn args(&self, field: &'static Field, default: &str) -> Vec<Arg> {
        T::default().args(field, default)
    }

    fn set_flags(&mut self, field: &'static Field, matches: &ArgMatches) -> Result<bool, JsonFlagError> {
        let was_given = self.is_some();
        let mut value = self.take().unwrap_or_default();
        let is_given = value.set_flags(field, matches)?;
        *self = (was_given || is_given).then_some(value);
        Ok(is_given)
    }

    fn json(&self) -> String {
        self.as_ref().map_or_else(|| "null".to_owned(), Value::json)
    }

    fn shown(&self) -> String {
        self.as_ref().map_or_else(String::new, Value::shown)
    }

    fn objects(&self) -> Vec<&dyn Options> {
        self.iter().flat_map(Value::objects).collect()
    }

    fn object_mut(&mut self) -> Option<&mut dyn Options> {
        self.as_mut().and_then(Value::object_mut)
    }

    fn template(&self) -> Option<Box<dyn Options>> {
        T::default().template()
    }
}

impl<T: Single> Value for Vec<T> {
    fn args(&self, field: &'static Field, default: &str) -> Vec<Arg> {
        own_args(field, T::VALUE_NAME, &T::parser(), true, default)
    }

    fn set_flags(&mut self, field: &'static Field, matches: &ArgMatches) -> Result<bool, JsonFlagError> {
        let given = T::given(field, matches)?;
        let is_given = !given.is_empty();
        if is_given {
            *self = given;
        }
        Ok(is_given)
    }

    fn json(&self) -> String {
        let elements: Vec<_> = self.iter().map(Single::json).collect();
        format!("[{}]", elements.join(","))
    }

    fn shown(&self) -> String {
        if self.is_empty() { String::new() } else { Value::json(self) }
    }

    fn is_list(&self) -> bool {
        true
    }

    fn objects(&self) -> Vec<&dyn Options> {
        self.iter().filter_map(Single::object).collect()
    }

    fn template(&self) -> Option<Box<dyn Options>> {
        T::default().object().map(Options::initial)
    }
}

impl Value for BTreeMap<String, String> {
    fn args(&self, field: &'static Field, default: &str) -> Vec<Arg> {
        own_args(field, "KEY:VALUE", &ValueParser::new(pair), true, default)
    }

    fn set_flags(&mut self, field: &'static Field, matches: &ArgMatches) -> Result<bool, JsonFlagError> {
        let given: Vec<(String, String)> = typed(field, matches);
        let is_given = !given.is_empty();
        self.extend(given);
        Ok(is_given)
    }

    fn json(&self) -> String {
        to_go_string(self)
    }

    fn shown(&self) -> String {
        if self.is_empty() { String::new() } else { Value::json(self) }
    }

    fn is_list(&self) -> bool {
        true
    }
}

/// Splits at the first colon (contract O-91).
fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once(':').ok_or("allowed is EXTENSION:TYPE, such as log:text/plain")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// A parser of words for a type whose errors all mean the same.
pub fn parse_word<T: FromStr + Clone + Send + Sync + 'static>(allowed: &'static str) -> ValueParser {
    ValueParser::new(move |text: &str| text.parse::<T>().map_err(|_| format!("allowed is {allowed}")))
}

/// A parser of the words of a type that help and completion list.
pub fn possible_words<T: FromStr + Clone + Default + Send + Sync + 'static>(
    words: &'static [&'static str],
) -> ValueParser {
    let parser = PossibleValuesParser::new(words);
    ValueParser::new(parser.map(|text| text.parse::<T>().unwrap_or_default()))
}

/// Makes scalar types of one argument each an option: the name of the value, its
/// parser, and how people read it.
macro_rules! scalars {
    ($($type:ty, $value_name:expr, $parser:expr, $json:expr, $shown:expr;)*) => {$(
        impl Single for $type {
            const VALUE_NAME: &'static str = $value_name;

            fn parser() -> ValueParser {
                $parser.into()
            }

            fn json(&self) -> String {
                $json(self)
            }

            fn shown(&self) -> String {
                $shown(self)
            }
        }
    )*};
}

scalars! {
    String, "TEXT", value_parser!(String), to_go_string, String::clone;
    bool, BOOL, value_parser!(bool), to_go_string, ToString::to_string;
    i64, "N", value_parser!(i64), to_go_string, ToString::to_string;
    GoDuration, "DURATION", parse_word::<Self>("a duration such as 300ms, 1.5h or 2h45m"),
        to_go_string, ToString::to_string;
    OsString, "TEXT", value_parser!(OsString), |text: &Self| to_go_string(&text.to_string_lossy()),
        |text: &Self| text.to_string_lossy().into_owned();
}

crate::text_option!(Signal, "SIGNAL", "the name of a signal such as \"SIGTERM\"");
