//! The findings of a listing, piece by piece.

use crate::censor::Censor;
use crate::io::object::Wanted;
use crate::io::source::FileSource;
use cap_std::fs::Dir;
use std::sync::Arc;

/// An item as it was found.
#[derive(Clone, Debug)]
pub enum Item {
    /// A directory, held open so that no path in it leads elsewhere.
    Directory(Arc<Dir>),
    /// A file.
    File(FileSource),
}

/// A file that is not sent, and the reason.
pub type Refused = (Wanted, String);

/// Rules in force since the listing began.
#[derive(Debug, Default)]
pub struct Begin {
    /// The secrets that mask the names; `None` when nothing is censored.
    pub censor: Option<Arc<Censor>>,
}

/// Some of the objects of a pass; never those that close it.
#[derive(Debug, Default)]
pub struct Piece {
    /// In the first piece.
    pub begin: Option<Begin>,
    /// The items, by number; `None` where an item is absent. In the piece in front of the
    /// first file.
    pub items: Option<Vec<Option<Item>>>,
    /// Objects to send.
    pub wanted: Vec<Wanted>,
    /// Files not to send; in the last piece, unless there are very many.
    pub skipped: Vec<Refused>,
    /// Files not to send whose key another object has; as before.
    pub displaced: Vec<Refused>,
    /// The memory that these objects take in the plan, in bytes.
    pub weight: usize,
    /// The number of files that were found for it.
    pub files: u64,
    /// The number of files that were found beyond `delivery.limits.files`.
    pub not_listed: u64,
}
