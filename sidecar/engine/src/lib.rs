//! Finds many patterns at once, at the speed of memory.
//!
//! ```text
//!            every stride-th place                             exactly
//! window ─┬─▶ length class: filter ─passes─▶ table ─candidates─▶ verify ─┬─▶ spans ──▶ masked
//!         └─▶ runs, short patterns ──────────────────────────────────────┘
//! ```
//!
//! | module | contents |
//! | --- | --- |
//! | `matcher` | the interface: all patterns, and the progress of a stream |
//! | `patterns` | the patterns in one block of memory, zeroed when dropped |
//! | `length_class` | patterns of similar length, and the loop over the text |
//! | `anchor` | the choice of grams that represent a pattern |
//! | `gram` | a few bytes as one number |
//! | `fold` | hexadecimal digits without their case |
//! | `filter` | a Bloom filter that rejects nearly all text |
//! | `table` | from a gram to the patterns it represents |
//! | `dense_buckets` | patterns that share their grams with many others |
//! | `prefix_groups` | patterns that begin with another pattern |
//! | `verify`, `comparison` | exact comparison in bounded time |
//! | `runs` | patterns of one repeated byte |
//! | `short_patterns` | patterns too short for grams |
//! | `excerpts` | parts of values that stand for them where they were shortened |
//! | `trailing_lines` | short last lines, looked for behind the line before |
//! | `spans`, `bare_number`, `escape_ends` | the union of all matches, and how it is overwritten |
//! | `views` | the text without layout and escapes, and lists of numbers |
//!
//! Matching is exact: no false positives, no false negatives. A pattern is a
//! byte string, optionally with the case of A to F ignored; a short one can be
//! restricted to places close behind another pattern, and one can be a part of a value
//! whose other bytes are masked as far as they stand around it. Patterns are zeroed when
//! dropped; tables (which hold hashes of parts of patterns) and automata (which
//! hold bytes of the patterns they stand for) are not.
//!
//! The README has the algorithm in full, and its figures.

mod anchor;
mod bare_number;
mod comparison;
mod dense_buckets;
mod escape_ends;
mod excerpts;
mod filter;
mod fold;
mod gram;
mod length_class;
mod matcher;
mod patterns;
mod prefix_groups;
mod runs;
mod short_patterns;
mod spans;
mod table;
#[cfg(test)]
mod tests;
mod trailing_lines;
mod verify;
mod views;

pub use fold::folded;
pub use matcher::{MASK, Matcher, Progress, TooLarge};
pub use patterns::Pattern;
pub use views::{MIN_VIEW_BYTES, canonical};
