//! The client of a bucket as this module uses it.

use object_store::ObjectStore;
use object_store::multipart::MultipartStore;

/// A client of a bucket: objects in one piece, and in parts.
pub(super) trait Bucket: ObjectStore + MultipartStore {}

impl<T: ObjectStore + MultipartStore> Bucket for T {}
