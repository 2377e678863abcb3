//! One file at a time may use the memory that is set aside for large things.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

#[derive(Debug, Default)]
pub(super) struct Gate {
    taken: Mutex<bool>,
    free: Condvar,
}

/// The right to use that memory. A file asks for it once, however much it
/// needs then, so that no two can wait for each other.
#[derive(Debug)]
pub(super) struct Turn(Arc<Gate>);

impl Gate {
    /// Waits for the turn.
    pub(super) fn wait(self: &Arc<Self>) -> Turn {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = self.free.wait_while(taken, |taken| *taken).unwrap_or_else(PoisonError::into_inner);
        *taken = true;
        Turn(Arc::clone(self))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *self.0.taken.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.0.free.notify_one();
    }
}
