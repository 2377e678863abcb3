//! Waiting for something with a deadline.

use std::time::{Duration, Instant};

/// Longer than anything takes on a busy machine, so that reaching it means a hang.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Looks again and again until there is something, and returns it.
///
/// # Panics
/// When nothing is there after [`PATIENCE`].
pub fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, look).unwrap_or_else(|| panic!("waited {PATIENCE:?} in vain for {what}"))
}

/// Looks again and again until there is something or the time is over.
pub fn within<T>(patience: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + patience;
    let mut pause = Duration::from_micros(200);
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(10));
    }
}
