//! Formats whose readers compare what they contain with digests or indexes inside, which
//! no longer fit once something is masked.

use super::bytes::{ReadAt, SourceRange};

/// The beginning of a note that names them.
pub(super) const NOTE: &str = "digests in it no longer fit: ";

const SQLITE: &[u8] = b"SQLite format 3\0";

/// Returns what an archive with a member of this name is.
pub(super) fn of_member(name: &[u8]) -> Option<&'static str> {
    let name = name.strip_prefix(b"./").unwrap_or(name);
    let is_signature = name.starts_with(b"META-INF/") && name.ends_with(b".SF");
    match name {
        b"oci-layout" | b"repositories" => Some("a container image"),
        b"checksums.yaml.gz" => Some("a gem"),
        _ if name.ends_with(b".dist-info/RECORD") => Some("a wheel"),
        _ if name.starts_with(b"control.tar") => Some("a Debian package"),
        _ if is_signature => Some("a signed jar"),
        _ => None,
    }
}

/// The note about a database of which bytes are masked.
pub(crate) const MASKED_DATABASE: &str = "digests in it no longer fit: the indexes of an SQLite database";

/// Returns whether a file is a database, with indexes of what it contains.
pub(crate) fn is_database(source: &dyn ReadAt) -> bool {
    let beginning = SourceRange::new(source, 0, SQLITE.len() as u64).to_vec();
    beginning.is_ok_and(|beginning| beginning == SQLITE)
}
