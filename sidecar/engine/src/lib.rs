//! Finding many patterns at once, at the speed of memory.
//!
//! ```text
//!            every stride-th place                       exactly
//! window ─┬─▶ class: filter ─passes─▶ table ─candidates─▶ verify ─┬─▶ spans ──▶ masked
//!         └─▶ runs, short ────────────────────────────────────────┘
//! ```
//!
//! | module | what it is |
//! | --- | --- |
//! | `matcher` | the interface: all patterns, and the progress of a stream |
//! | `patterns` | the patterns in one block of memory, zeroed when dropped |
//! | `class` | patterns of about one length, and the loop over the text |
//! | `anchor` | which grams stand for a pattern |
//! | `gram` | a few bytes as one number |
//! | `fold` | hexadecimal digits without their case |
//! | `filter` | a table of bits that nearly all text fails |
//! | `table` | from a gram to the patterns it stands for |
//! | `crowd` | patterns that share their grams with many others |
//! | `family` | patterns that begin with another one |
//! | `verify` | exact comparison in bounded time |
//! | `runs` | patterns of one repeated byte |
//! | `short` | patterns too short for grams |
//! | `tails` | short last lines, looked for behind the line before |
//! | `spans` | the union of what was found |
//!
//! It is exact: nothing else is masked, and nothing is missed. Patterns are bytes,
//! or bytes in which the case of A to F does not count; a short one can be looked
//! for near behind another one only. Tables hold
//! hashes of parts of patterns, automata bytes of them: those of patterns of up
//! to three bytes, and of a crowd that a text was made against. Neither are
//! zeroed.

mod anchor;
mod class;
mod crowd;
mod family;
mod filter;
mod fold;
mod gram;
mod matcher;
mod patterns;
mod runs;
mod short;
mod spans;
mod table;
mod tails;
#[cfg(test)]
mod tests;
mod verify;

pub use fold::folded;
pub use matcher::{MASK, Matcher, Progress, TooLarge};
pub use patterns::Pattern;
