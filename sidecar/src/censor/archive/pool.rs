//! Things that are expensive to make and used again.

use super::CHUNK_BYTES;
use flate2::Decompress;
use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

/// Buffers and decoders that the walks through one file use again from member to member.
#[derive(Default)]
pub(super) struct Pool {
    inflaters: RefCell<Vec<Decompress>>,
    chunks: RefCell<Vec<Vec<u8>>>,
}

impl Pool {
    /// Returns a decoder at the start of a stream.
    pub(super) fn inflater(&self) -> Pooled<'_, Decompress> {
        let mut inflater = self.inflaters.borrow_mut().pop().unwrap_or_else(|| Decompress::new(false));
        inflater.reset(false);
        Pooled { item: Some(inflater), from: &self.inflaters }
    }

    /// Returns a buffer of [`CHUNK_BYTES`], with old content.
    pub(super) fn chunk(&self) -> Pooled<'_, Vec<u8>> {
        let chunk = self.chunks.borrow_mut().pop().unwrap_or_else(|| vec![0; CHUNK_BYTES]);
        Pooled { item: Some(chunk), from: &self.chunks }
    }
}

/// Something that returns to its pool when it is dropped.
pub(super) struct Pooled<'a, T> {
    /// Present until it is dropped.
    item: Option<T>,
    from: &'a RefCell<Vec<T>>,
}

impl<T> Deref for Pooled<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.item.as_ref().expect("present until dropped")
    }
}

impl<T> DerefMut for Pooled<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.item.as_mut().expect("present until dropped")
    }
}

impl<T> Drop for Pooled<'_, T> {
    fn drop(&mut self) {
        self.from.borrow_mut().extend(self.item.take());
    }
}
