//! Counts the bytes of incomplete objects that the destination has accepted, for
//! the progress shown while a large one is sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The sum over all incomplete objects.
#[derive(Clone, Debug, Default)]
pub(super) struct BytesInFlight(Arc<AtomicU64>);

/// One object's share of the sum, subtracted when the last clone is dropped:
/// the object is then complete or abandoned.
#[derive(Clone, Debug)]
pub(in crate::io) struct BytesGuard(Arc<Share>);

#[derive(Debug)]
struct Share {
    total: BytesInFlight,
    bytes: AtomicU64,
}

impl BytesInFlight {
    pub(super) fn begin(&self) -> BytesGuard {
        BytesGuard(Arc::new(Share { total: self.clone(), bytes: AtomicU64::new(0) }))
    }

    pub(super) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl BytesGuard {
    /// Adds bytes that the destination has accepted.
    pub(in crate::io) fn add(&self, bytes: usize) {
        self.0.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.0.total.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.total.0.fetch_sub(*self.bytes.get_mut(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_is_not_bytes_in_flight() {
        let all = BytesInFlight::default();
        let (one, other) = (all.begin(), all.begin());
        let copy = one.clone();
        one.add(5);
        other.add(7);
        drop(one);
        assert_eq!(all.bytes(), 12);
        copy.add(1);
        drop(copy);
        assert_eq!(all.bytes(), 7);
    }
}
