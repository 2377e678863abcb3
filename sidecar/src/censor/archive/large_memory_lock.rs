//! Permits one file at a time to use a large amount of memory.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// The lock; shared by all files.
#[derive(Debug, Default)]
pub(super) struct LargeMemoryLock {
    taken: Mutex<bool>,
    free: Condvar,
}

/// The permission. A file acquires it once, however much memory it then needs, so
/// that no two files wait for each other.
#[derive(Debug)]
pub(super) struct LargeMemoryGuard(Arc<LargeMemoryLock>);

impl LargeMemoryLock {
    /// Waits for the permission.
    pub(super) fn acquire(self: &Arc<Self>) -> LargeMemoryGuard {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = self.free.wait_while(taken, |taken| *taken).unwrap_or_else(PoisonError::into_inner);
        *taken = true;
        LargeMemoryGuard(Arc::clone(self))
    }
}

impl Drop for LargeMemoryGuard {
    fn drop(&mut self) {
        *self.0.taken.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.0.free.notify_one();
    }
}
