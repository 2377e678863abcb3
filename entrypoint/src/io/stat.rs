//! `/proc/<pid>/stat` and the few files beside it.

use crate::supervise::Pid;
use rustix::param::{clock_ticks_per_second, page_size};
use std::path::Path;

/// Upper bound on the length of a name, which is for recognising a process.
const MAX_NAME_CHARS: usize = 200;

/// The fields of `proc_pid_stat(5)` that are used here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stat {
    /// A letter, such as `D` for uninterruptible sleep.
    pub(super) state: Option<u8>,
    pub(super) parent: Option<u32>,
    /// Time in user and kernel mode, in clock ticks.
    cpu: u64,
    pub(super) threads: u64,
    /// Clock ticks since boot; 0 if unreadable.
    pub(super) started: u64,
    /// Resident pages.
    resident: u64,
}

impl Stat {
    pub(super) fn of(pid: i32) -> Option<Self> {
        Self::read(Path::new(&format!("/proc/{pid}/stat")))
    }

    fn read(path: &Path) -> Option<Self> {
        Self::parse(&std::fs::read(path).ok()?)
    }

    /// Skips the second field, which may hold anything but is in parentheses.
    fn parse(stat: &[u8]) -> Option<Self> {
        let after_name = stat.rsplit(|byte| *byte == b')').next()?;
        let fields = std::str::from_utf8(after_name).ok()?.split_ascii_whitespace();
        let mut found = Self::default();
        // The fields are counted from 1.
        for (index, field) in (3..).zip(fields) {
            let number = || field.parse::<u64>().unwrap_or(0);
            match index {
                3 => found.state = field.bytes().next(),
                4 => found.parent = field.parse().ok(),
                14 | 15 => found.cpu += number(),
                20 => found.threads = number(),
                22 => found.started = number(),
                24 => found.resident = number(),
                25.. => break,
                _ => {}
            }
        }
        Some(found)
    }

    /// Returns the CPU time in milliseconds.
    pub(super) fn cpu_ms(&self) -> u64 {
        self.cpu * 1000 / clock_ticks_per_second()
    }

    /// Returns the age in milliseconds.
    pub(super) fn age_ms(&self) -> u64 {
        let boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let seconds = u64::try_from(boot.tv_sec).unwrap_or(0);
        let now = seconds * 1000 + u64::try_from(boot.tv_nsec).unwrap_or(0) / 1_000_000;
        now.saturating_sub(self.started * 1000 / clock_ticks_per_second())
    }

    /// Returns the resident memory in bytes.
    pub(super) fn rss_bytes(&self) -> u64 {
        self.resident * page_size() as u64
    }
}

pub(super) fn reads_a_pipe(pid: i32) -> bool {
    std::fs::read_link(format!("/proc/{pid}/fd/0"))
        .is_ok_and(|target| target.as_os_str().as_encoded_bytes().starts_with(b"pipe:"))
}

/// Returns true if no thread of the process is in uninterruptible sleep.
///
/// A thread that waits for a dead file system in a page fault can hold the lock that
/// reading the command line needs; the reader would wait with it.
fn is_awake(pid: i32) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    threads.filter_map(Result::ok).all(|thread| {
        let stat = Stat::read(&thread.path().join("stat"));
        stat.and_then(|stat| stat.state) != Some(b'D')
    })
}

/// Reads a file of a process as one line for people.
pub(super) fn text(pid: i32, file: &str) -> String {
    let bytes = std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let shown = text.trim_end_matches(['\0', '\n']).chars().take(MAX_NAME_CHARS);
    shown.map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Returns the command line of a process; empty for a kernel thread, a process that has
/// just ended, or one that cannot be asked.
pub(super) fn command(pid: i32) -> String {
    if is_awake(pid) { text(pid, "cmdline") } else { String::new() }
}

/// Returns `<pid> <command line>`, on one line.
pub(super) fn name(Pid(pid): Pid) -> String {
    let command = command(pid);
    let shown = if command.is_empty() { text(pid, "comm") } else { command };
    format!("{pid} {shown}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_is_read_whatever_the_process_is_called() {
        let line = b"7 (a) D 1 (b) S 42 7 7 0 -1 4194304 96 0 0 0 1 2 3 4 20 0 5 0 98765 3055616 236 1";
        let expected =
            Stat { state: Some(b'S'), parent: Some(42), cpu: 3, threads: 5, started: 98765, resident: 236 };
        assert_eq!(Stat::parse(line), Some(expected));
        let short = Stat { state: Some(b'D'), ..Stat::default() };
        assert_eq!(Stat::parse(b"7 (x) D"), Some(short));
    }
}
