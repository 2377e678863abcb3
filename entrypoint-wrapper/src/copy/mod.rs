//! Copies programs into a volume, and `SHARED_DIR`.

pub(crate) mod program;
pub(crate) mod shared;
