//! How much of the objects under way is at the destination already, for people
//! who watch a large one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts over all objects under way.
#[derive(Clone, Debug, Default)]
pub(super) struct UnderWay(Arc<AtomicU64>);

/// What was taken of one object; forgotten with the last copy of the value,
/// whether the object is complete then or was given up.
#[derive(Clone, Debug)]
pub(in crate::io) struct Taken(Arc<One>);

#[derive(Debug)]
struct One {
    all: UnderWay,
    bytes: AtomicU64,
}

impl UnderWay {
    pub(super) fn begin(&self) -> Taken {
        Taken(Arc::new(One { all: self.clone(), bytes: AtomicU64::new(0) }))
    }

    pub(super) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Taken {
    /// So many bytes more are at the destination.
    pub(in crate::io) fn add(&self, bytes: usize) {
        self.0.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.0.all.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Drop for One {
    fn drop(&mut self) {
        self.all.0.fetch_sub(*self.bytes.get_mut(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_is_not_under_way() {
        let all = UnderWay::default();
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
