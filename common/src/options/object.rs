//! A struct of options as a whole: its JSON, and the flag that gives it as JSON.

use super::field::{Field, Shape};
use super::flags::ValueParser;
use super::value::{JsonFlagError, Options, Single, typed};
use crate::json::{self, Document, Member, to_go_string};
use crate::quote::shortened;
use clap::{ArgMatches, value_parser};
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

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
