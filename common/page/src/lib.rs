//! The report of a job: what its documents and logs say, and the page made of it.
//!
//! ```text
//!  finished.json ─┐                             ┌─▶ words  for a terminal
//!  manifest.json ─┼─▶ JobReport (bounded) ──────┤
//!  Excerpt ───────┘   objects, tests, timeline  └─▶ html   one page
//!     ▲
//!  Scanner ◀── the bytes of a log
//! ```
//!
//! Data in, bytes out: nothing here opens a file or asks a store. Sidecar hands over what
//! it delivers, podutils what it reads back. All of it was censored before. Names and
//! lines are the job's, and hostile: [`escape`] makes them harmless.

pub mod amounts;
pub mod escape;
pub mod excerpt;
pub mod frame;
pub mod html;
pub mod job;
pub mod links;
pub mod manifest;
pub mod objects;
pub mod sgr;
pub mod test_results;
pub mod timeline;
pub mod words;
