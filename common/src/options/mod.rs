//! Options, each declared once.
//!
//! A struct inside [`options!`](crate::options!) is a table with one row per
//! option: its documentation is the help text, its name the JSON key, and the
//! expression behind `=` says the rest.
//!
//! ```text
//! options! {
//!     /// The object `delivery`.
//!     pub struct DeliveryOptions {
//!         /// Bounds the memory of the whole program.
//!         pub memory: Option<i64> = flag("memory").value("BYTES").default(|| bytes(DEFAULT_MEMORY)),
//!     }
//! }
//! ```
//!
//! From the row come decoding and encoding of JSON, did-you-mean, the flag with
//! `--help`, manual page and completion, `podutils explain`, and the tables of
//! the documents (`podutils explain --markdown`).
//!
//! **To add an option**, add its row to the struct of its object, use the field,
//! and paste the output of `podutils explain --markdown` between the markers of
//! the program's README.md (a test compares them). What a value may not be is refused
//! in the struct's `validate`. A core gets values through its configuration (sidecar's
//! `coordinator::Setup`, entrypoint's `supervise::Policy`), whose literals in the tests
//! and in `tests/model` the compiler lists. Where `gcsupload`, `podutils run` or
//! `podutils inject` are to offer it too, they name the row among their flags. It
//! belongs in the changes of deploy/README.md. The type gives the syntax: `String`,
//! `bool`, `i64`, `GoDuration`, `Signal`, a type of [`words!`](crate::words!),
//! or any of these in an `Option` or a `Vec`; a new type implements [`Single`].
//! A default that code applies later is a constant that both the code and
//! [`Field::default`] name.
//!
//! Another program offers options as its own flags by taking some of their
//! [`args`] into its command line; [`fill`] sets those that are given and leaves
//! the others.
//!
//! | module | purpose |
//! | --- | --- |
//! | `field` | a row without its value |
//! | `value` | the value of a row, and a struct of rows: what each can do |
//! | `types` | the types that options can have |
//! | `object` | a struct of rows as JSON |
//! | `source` | environment or command line |
//! | [`flags`] | Go's command-line syntax |

mod field;
pub mod flags;
mod object;
mod source;
mod types;
mod value;

pub use field::{Field, Shape, bytes, flag, inline, json_flag, key_only, object, positional};
pub use object::encode;
pub use source::{LoadError, Source, from_flags, load, source};
pub use types::{parse_word, possible_words};
pub use value::{BOOL, JsonFlagError, Options, Single, Value, args, fill};

#[doc(hidden)]
pub use serde as __serde;

pub(crate) use source::lossy;

/// Declares a struct of options: see the [module](self). `=> value` behind a row
/// is the field's initial value where it is not the type's own.
#[macro_export]
macro_rules! options {
    ($(#[$attribute:meta])* $visibility:vis struct $name:ident {
        $($(#[doc = $help:literal])+ $field_visibility:vis $field:ident: $type:ty
            = $declared:expr $(=> $initial:expr)?),* $(,)?
    }) => {
        $(#[$attribute])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        $visibility struct $name {
            $($(#[doc = $help])+ $field_visibility $field: $type,)*
        }

        impl ::std::default::Default for $name {
            fn default() -> Self {
                Self { $($field: $crate::options!(@initial $($initial)?),)* }
            }
        }

        impl $crate::options::Options for $name {
            fn rows(&self) -> Vec<(&'static $crate::options::Field, &dyn $crate::options::Value)> {
                vec![$((const { &$declared.named(stringify!($field), concat!($($help),+)) }, &self.$field as _),)*]
            }

            fn rows_mut(
                &mut self,
            ) -> Vec<(&'static $crate::options::Field, &mut dyn $crate::options::Value)> {
                vec![$((const { &$declared.named(stringify!($field), concat!($($help),+)) }, &mut self.$field as _),)*]
            }

            fn initial(&self) -> Box<dyn $crate::options::Options> {
                Box::new(Self::default())
            }
        }

        impl $crate::options::__serde::Serialize for $name {
            fn serialize<S: $crate::options::__serde::Serializer>(
                &self,
                serializer: S,
            ) -> Result<S::Ok, S::Error> {
                $crate::options::encode(self, serializer)
            }
        }
    };
    (@initial) => { ::std::default::Default::default() };
    (@initial $initial:expr) => { $initial };
}

/// Lets an enum without data be an option: what is allowed in words, and the
/// word of each variant.
#[macro_export]
macro_rules! words {
    ($type:ty, $allowed:literal, $($variant:ident = $word:literal),+) => {
        impl ::std::str::FromStr for $type {
            type Err = ();

            fn from_str(text: &str) -> Result<Self, ()> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(()),
                }
            }
        }

        impl ::std::fmt::Display for $type {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => $word,)+
                })
            }
        }

        $crate::text_option!($type, "WORD", $allowed, $crate::options::possible_words::<$type>(&[$($word),+]));
    };
}

/// Lets a type that is written as one text (`FromStr`, `Display`) be an option:
/// the name of its value, what is allowed, and optionally its parser for clap.
#[macro_export]
macro_rules! text_option {
    ($type:ty, $value_name:literal, $allowed:literal) => {
        $crate::text_option!($type, $value_name, $allowed, $crate::options::parse_word::<$type>($allowed));
    };
    ($type:ty, $value_name:literal, $allowed:literal, $parser:expr) => {
        impl $crate::json::Decode for $type {
            fn decode(
                &mut self,
                value: $crate::json::Raw<'_>,
                _notes: &mut $crate::json::Notes,
            ) -> Result<(), $crate::json::JsonError> {
                value.parse_text(self, $allowed)
            }
        }

        impl $crate::options::Single for $type {
            const VALUE_NAME: &'static str = $value_name;

            fn parser() -> $crate::options::flags::ValueParser {
                $parser
            }

            fn json(&self) -> String {
                $crate::json::to_go_string(&self.to_string())
            }

            fn shown(&self) -> String {
                self.to_string()
            }
        }
    };
}

#[cfg(test)]
mod tests;
