//! Times and sizes as people read them.

use common::duration::GoDuration;
use std::fmt::Display;
use std::time::Duration;

/// A time as people read it: Go's form, in milliseconds below a minute, else in seconds.
pub fn time(duration: Duration) -> impl Display {
    let unit = if duration < Duration::from_mins(1) { 1_000_000 } else { 1_000_000_000 };
    let nanos = GoDuration::from_std(duration).as_nanos();
    GoDuration::from_nanos(nanos - nanos % unit)
}

/// A size as people read it.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let mut tenths = bytes.saturating_mul(10) / 1024;
    let mut unit = UNITS[0];
    for larger in &UNITS[1..] {
        if tenths >= 10 * 1024 {
            tenths /= 1024;
            unit = larger;
        }
    }
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_short() {
        assert_eq!(size(0), "0 bytes");
        assert_eq!(size(1023), "1023 bytes");
        assert_eq!(size(1024), "1.0 KiB");
        assert_eq!(size(300 << 20), "300.0 MiB");
        assert_eq!(size(5 << 40), "5.0 TiB");
        assert_eq!(time(Duration::from_nanos(1_234_567_891)).to_string(), "1.234s");
        assert_eq!(time(Duration::from_millis(61_900)).to_string(), "1m1s");
        assert_eq!(time(Duration::ZERO).to_string(), "0s");
    }
}
