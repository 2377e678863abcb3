//! Numbers in the files of control groups.

use std::path::Path;

/// Version of the container's own control group, as the container sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Group {
    Version2,
    Version1,
    /// None that is the container's: the root group covers the whole machine.
    None,
}

impl Group {
    /// Finds it: a root group of version 2 has no such file, one of version 1 has one more.
    pub(super) fn find() -> Self {
        if Path::new("/sys/fs/cgroup/memory.current").exists() {
            return Self::Version2;
        }
        let in_version_1 = |name: &str| Path::new("/sys/fs/cgroup/memory").join(name).exists();
        if in_version_1("memory.usage_in_bytes") && !in_version_1("release_agent") {
            return Self::Version1;
        }
        Self::None
    }

    pub(super) fn memory_stat(self) -> &'static str {
        match self {
            Self::Version2 => "/sys/fs/cgroup/memory.stat",
            Self::Version1 | Self::None => "/sys/fs/cgroup/memory/memory.stat",
        }
    }

    pub(super) fn inactive_file(self) -> &'static str {
        match self {
            Self::Version2 => "inactive_file",
            Self::Version1 | Self::None => "total_inactive_file",
        }
    }

    /// Returns the limits of memory in bytes and of the CPU in thousandths.
    pub(super) fn limits(self) -> (Option<u64>, Option<u64>) {
        let (memory, quota, period) = match self {
            Self::Version2 => {
                let cpu = read("/sys/fs/cgroup/cpu.max");
                let mut words = cpu.split_ascii_whitespace().map(|word| word.parse().ok());
                (read("/sys/fs/cgroup/memory.max"), words.next().flatten(), words.next().flatten())
            }
            Self::Version1 => {
                let cpu = |name: &str| sum(&read(&["/sys/fs/cgroup/cpu/cpu.cfs_", name, "_us"].concat()), "");
                (read("/sys/fs/cgroup/memory/memory.limit_in_bytes"), cpu("quota"), cpu("period"))
            }
            Self::None => return (None, None),
        };
        // Version 1 says "no limit" with the largest number of whole pages.
        let memory = sum(&memory, "").filter(|bytes| *bytes < 1 << 60);
        let cpu =
            quota.zip(period).filter(|(_, period)| *period > 0).map(|(quota, period)| quota * 1000 / period);
        (memory, cpu)
    }
}

/// Reads a file; one that this version or kernel does not have is empty.
pub(super) fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Adds up the numbers behind `key`: `key 7` and `key=7`, of pressure files the first line
/// alone. Without a key it is the first number.
pub(super) fn sum(text: &str, key: &str) -> Option<u64> {
    if key.is_empty() {
        return text.split_ascii_whitespace().next()?.parse().ok();
    }
    let text = if text.starts_with("some ") { text.lines().next()? } else { text };
    let mut total = None;
    let mut words = text.split_ascii_whitespace();
    while let Some(word) = words.next() {
        let number = match word.strip_prefix(key) {
            Some("") => words.next(),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        };
        if let Some(number) = number.and_then(|number| number.parse::<u64>().ok()) {
            total = Some(total.unwrap_or(0) + number);
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_in_each_kind_of_file() {
        assert_eq!(sum("4096\n", ""), Some(4096));
        assert_eq!(sum("max\n", ""), None);
        assert_eq!(sum("-1\n", ""), None, "no limit in version 1");
        let stat = "usage_usec 120\nuser_usec 80\nnr_throttled 1\nthrottled_usec 7\n";
        assert_eq!((sum(stat, "usage_usec"), sum(stat, "throttled_usec")), (Some(120), Some(7)));
        assert_eq!(sum(stat, "missing"), None);
        let io = "8:0 rbytes=5 wbytes=7 rios=1\n8:16 rbytes=10 wbytes=0 rios=1\n";
        assert_eq!((sum(io, "rbytes"), sum(io, "wbytes")), (Some(15), Some(7)));
        let blkio = "8:0 Read 5\n8:0 Write 7\n8:0 Total 12\nTotal 12\n";
        assert_eq!((sum(blkio, "Read"), sum(blkio, "Write")), (Some(5), Some(7)));
        let pressure = "some avg10=0.00 avg60=0.00 avg300=0.00 total=42\nfull avg10=0.00 total=41\n";
        assert_eq!(sum(pressure, "total"), Some(42));
        assert_eq!(sum("inactive_file 3\ntotal_inactive_file 9\n", "total_inactive_file"), Some(9));
    }
}
