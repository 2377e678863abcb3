//! The builds in a job's folder: which there are, which is the last one, and where those lie whose
//! folder has aliases only.

mod aliases;
mod folder;
mod latest;

pub(crate) use aliases::Runs;
pub(crate) use folder::{Folder, Found, order};
pub(crate) use latest::meant;
