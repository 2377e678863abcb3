//! Faults on request, for tests: no shipped program has the feature.
//!
//! `POD_UTILS_FAULT` holds one fault: `panic`, `hang` or `delay` (100 ms), a space, the name of a
//! point, and perhaps `*` and the number of times that it happens there.

use std::fmt::Arguments;

/// A point at which a test can have a fault happen.
#[cfg(feature = "fault-injection")]
pub(crate) fn point(name: Arguments<'_>) {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static HAPPENED: AtomicUsize = AtomicUsize::new(0);
    let Ok(fault) = std::env::var("POD_UTILS_FAULT") else { return };
    let Some((kind, rest)) = fault.split_once(' ') else { return };
    let (at, times) = rest.split_once('*').unwrap_or((rest, ""));
    let times = times.parse().unwrap_or(usize::MAX);
    if name.to_string() != at || HAPPENED.fetch_add(1, Ordering::Relaxed) >= times {
        return;
    }
    match kind {
        "panic" => panic!("injected at {at}"),
        "delay" => std::thread::sleep(std::time::Duration::from_millis(100)),
        _ => loop {
            std::thread::park();
        },
    }
}

/// A point at which a test can have a fault happen.
#[cfg(not(feature = "fault-injection"))]
#[inline]
pub(crate) fn point(_: Arguments<'_>) {}
