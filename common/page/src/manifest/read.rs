//! Reads a manifest as a stream.

use super::{MAX_KEY_BYTES, Object, Rest, VERSION};
use common::bounded::{First, first_members};
use common::report::Report;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufReader, Read};

/// A manifest up to this size is held while it is read, which takes a third of
/// the time: some four thousand objects.
const MAX_BYTES_IN_MEMORY: u64 = 1 << 20;

/// Upper bound on the containers that are kept, and on their reports.
const MAX_CONTAINERS: usize = 200;

/// Upper bound on the passes that are kept: there are as many as there were checkpoints.
const MAX_PASSES: usize = 10_000;

/// Reads a manifest; passes every object to `each`. The error is one line.
pub fn read(mut from: impl Read, each: &mut dyn FnMut(Object)) -> Result<Rest, String> {
    read_any(&mut from, each)
}

/// There is one copy of this in a program, whatever it reads from.
fn read_any(from: &mut dyn Read, each: &mut dyn FnMut(Object)) -> Result<Rest, String> {
    let mut begin = Vec::new();
    (&mut *from)
        .take(MAX_BYTES_IN_MEMORY + 1)
        .read_to_end(&mut begin)
        .map_err(|error| format!("manifest.json: {error}"))?;
    let rest = if begin.len() as u64 <= MAX_BYTES_IN_MEMORY {
        parse(serde_json::Deserializer::from_slice(&begin), each)
    } else {
        let whole = BufReader::with_capacity(64 << 10, begin.chain(from));
        parse(serde_json::Deserializer::from_reader(whole), each)
    };
    rest.map_err(|error| format!("manifest.json: {error}"))
}

fn parse<'de, R: serde_json::de::Read<'de>>(
    mut deserializer: serde_json::Deserializer<R>,
    each: &mut dyn FnMut(Object),
) -> serde_json::Result<Rest> {
    let rest = deserializer.deserialize_map(Document { each })?;
    deserializer.end()?;
    Ok(rest)
}

struct Document<'a> {
    each: &'a mut dyn FnMut(Object),
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = Rest;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a manifest")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Rest, A::Error> {
        let mut rest = Rest::default();
        let mut version = None;
        while let Some(key) = members.next_key::<String>()? {
            match key.as_str() {
                "version" => version = Some(members.next_value::<u32>()?),
                "objects" => members.next_value_seed(Objects { each: self.each })?,
                "containers" => {
                    let containers = members.next_value::<First<_, MAX_CONTAINERS>>()?;
                    (rest.containers, rest.containers_left_out) = (containers.kept, containers.left_out);
                }
                "reports" => rest.reports = members.next_value::<Reports>()?.0,
                "passes" => rest.passes = members.next_value::<First<_, MAX_PASSES>>()?.kept,
                "tests" => rest.tests = members.next_value()?,
                "censoring" => rest.censoring = members.next_value::<Option<_>>()?.unwrap_or_default(),
                "deadline" => rest.deadline = members.next_value()?,
                "job" => rest.job = members.next_value()?,
                "listing" => rest.listing = members.next_value()?,
                "limits" => rest.limits = members.next_value()?,
                _ => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        match version {
            Some(VERSION) => Ok(rest),
            Some(other) => Err(A::Error::custom(format!("its version is {other}, understood is {VERSION}"))),
            None => Err(A::Error::custom("it has no version")),
        }
    }
}

/// The reports of at most as many containers as are kept.
#[derive(Deserialize)]
struct Reports(#[serde(deserialize_with = "first_members::<MAX_CONTAINERS, _, _>")] BTreeMap<String, Report>);

struct Objects<'a> {
    each: &'a mut dyn FnMut(Object),
}

impl<'de> DeserializeSeed<'de> for Objects<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Objects<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(object) = list.next_element::<Object>()? {
            if object.key.len() > MAX_KEY_BYTES {
                let text = format!("a key of {} bytes; {MAX_KEY_BYTES} are allowed", object.key.len());
                return Err(A::Error::custom(text));
            }
            (self.each)(object);
        }
        Ok(())
    }
}
