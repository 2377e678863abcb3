//! Memory for parts, reused instead of freed and allocated again.
//!
//! Blocks of several megabytes that come and go on several threads leave an
//! allocator with more memory than is in use. The blocks here go from part to
//! part, and are freed when no attempt is in flight.

use bytes::Bytes;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OwnedSemaphorePermit;

/// Lower bound on the capacity of a reused block, in bytes.
const MIN_REUSED_BYTES: usize = 256 * 1024;

/// Free blocks, shared by the attempts of one store.
#[derive(Debug, Default)]
pub(in crate::io) struct Buffers {
    free: Mutex<Vec<Vec<u8>>>,
}

impl Buffers {
    /// Returns an empty block with at least this capacity.
    pub(in crate::io) fn take(self: &Arc<Self>, capacity: usize, permit: OwnedSemaphorePermit) -> Buffer {
        let bytes = if capacity < MIN_REUSED_BYTES { None } else { self.reuse(capacity) };
        let bytes = bytes.unwrap_or_else(|| Vec::with_capacity(capacity));
        Buffer { bytes, home: Arc::clone(self), _permit: permit }
    }

    fn reuse(&self, capacity: usize) -> Option<Vec<u8>> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let at = free.iter().position(|block| block.capacity() >= capacity)?;
        Some(free.swap_remove(at))
    }
}

/// A block together with its permit to be in memory.
#[derive(Debug)]
pub(in crate::io) struct Buffer {
    pub(in crate::io) bytes: Vec<u8>,
    home: Arc<Buffers>,
    _permit: OwnedSemaphorePermit,
}

impl Buffer {
    /// Returns the content for sending; the block becomes free when the last copy
    /// is dropped.
    pub(in crate::io) fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        if bytes.capacity() >= MIN_REUSED_BYTES {
            bytes.clear();
            self.home.free.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
        }
    }
}
