//! Options of a decoration by the names of the flags, as a `functionConfig` and the
//! webhook's file hold them.

use super::field_path::{FieldPath, Finding};
use super::flags;
use crate::terminal::Problem;
use crate::yaml::Meaning;
use clap::ArgMatches;

/// Options in their order, each as often as it is given; a switch has no value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct NamedOptions(Vec<(String, Option<String>)>);

impl NamedOptions {
    /// Reads a mapping from names to values, lists of values, and bools for switches.
    pub(super) fn read(holder: &FieldPath<'_>) -> Result<Self, Finding> {
        holder.mapping()?;
        let mut options = Self::default();
        for name in holder.member_names() {
            let field = holder.key(name);
            let values = match field.items() {
                Ok(items) if field.exists() => items,
                Ok(_) | Err(_) => vec![field.clone()],
            };
            for value in values {
                match value.meaning() {
                    Some(Meaning::Bool(true)) => options.push(name, None),
                    Some(Meaning::Text("true")) if is_switch(name) => options.push(name, None),
                    Some(Meaning::Bool(false) | Meaning::Null) | None => {}
                    Some(Meaning::Text("false")) if is_switch(name) => {}
                    Some(_) => options.push(name, Some(value.quantity()?.unwrap_or_default())),
                }
            }
        }
        Ok(options)
    }

    /// Returns whether an option is given.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|(given, _)| given == name)
    }

    /// Adds an option.
    pub(super) fn push(&mut self, name: &str, value: Option<String>) {
        self.0.push((name.to_owned(), value));
    }

    /// Takes an option out.
    pub(super) fn remove(&mut self, name: &str) {
        self.0.retain(|(given, _)| given != name);
    }

    /// Returns the options as a command line would give them.
    pub(super) fn matches(&self) -> Result<ArgMatches, Problem> {
        let words = self.0.iter().map(|(name, value)| match value {
            None => format!("--{name}"),
            Some(value) => format!("--{name}={value}"),
        });
        let words = std::iter::once(flags::SUBCOMMAND.to_owned()).chain(words);
        flags::command().try_get_matches_from(words).map_err(|error| {
            let text = error.to_string();
            Problem::new(text.lines().next().unwrap_or_default().trim_start_matches("error: "))
        })
    }
}

/// Returns whether a flag takes no value.
pub(super) fn is_switch(name: &str) -> bool {
    let command = flags::command();
    let found = command.get_arguments().find(|argument| argument.get_id() == name);
    found.is_some_and(|argument| !argument.get_action().takes_values())
}
