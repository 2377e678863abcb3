//! The preconditions of catching signals in an event loop.

use std::io;
use std::os::unix::net::UnixStream;

/// Descriptors that a tokio runtime and its handlers need at least: the queue of events, its
/// waker, a pair of sockets for signals, and a clone.
const MIN_DESCRIPTORS: usize = 5;

/// Checks that a tokio runtime can catch signals, before one is built: it panics where the
/// kernel refuses it a pair of sockets (a seccomp profile, a limit of descriptors).
pub fn check() -> io::Result<()> {
    let (first, second) = UnixStream::pair()?;
    let mut held = vec![first, second];
    while held.len() < MIN_DESCRIPTORS {
        held.push(held[0].try_clone()?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_open() {
        let open = || std::fs::read_dir("/proc/self/fd").expect("listed").count();
        let before = open();
        for _ in 0..1000 {
            check().expect("permitted");
        }
        // Other tests open files meanwhile, but not hundreds of them.
        assert!(open() < before + 500);
    }
}
