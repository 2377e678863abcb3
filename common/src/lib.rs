//! Code shared by the programs of pod-utils.
//!
//! The programs run in separate containers and meet only in files of a shared
//! log volume. This crate holds the shape of those files and the small rules
//! every program follows; it knows no policy and no runtime.
//!
//! | module | content |
//! | --- | --- |
//! | [`codes`] | the one table of exit statuses and marker codes |
//! | [`signal`] | signals by the names that logs and reports use |
//! | [`interrupts`] | what catching signals in an event loop takes |
//! | [`duration`], [`timestamp`] | spans of time as Go writes them, points in time as RFC 3339 |
//! | [`marker`], [`lock`], [`report`] | the files an entrypoint leaves for a sidecar |
//! | [`preallocated`] | files whose space is allocated before it is needed |
//! | [`open_beneath`] | opening files in directories that hostile code can write to |
//! | [`mod@options`], [`json`] | options, each declared once, and the two syntaxes they come in |
//! | [`bounded`] | lists of which only the first members are kept |
//! | [`entry`] | one wrapped container as options describe it |
//! | [`job_spec`], [`paths`] | what job a pod runs, and where its objects belong |
//! | [`records`] | log records |
//! | [`percent`] | texts in addresses |
//! | [`quote`] | values and texts of others in messages |
//! | [`termination`] | the termination message of a container |
//! | [`version`] | the version with its commit |

pub mod bounded;
pub mod codes;
pub mod duration;
pub mod entry;
pub mod interrupts;
pub mod job_spec;
pub mod json;
pub mod lock;
pub mod marker;
pub mod open_beneath;
pub mod options;
pub mod paths;
pub mod percent;
pub mod preallocated;
pub mod quote;
pub mod records;
pub mod report;
pub mod signal;
pub mod termination;
pub mod timestamp;
pub mod version;
