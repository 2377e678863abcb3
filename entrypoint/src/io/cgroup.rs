//! Memory figures of the container's control group.
//!
//! A container sees its own group at the hierarchy's mount point, in version 2 as in
//! version 1. The root group of a host covers the whole machine and is ignored:
//! version 2 has no such files there, version 1 has one more.

use common::report::Cgroup;
use std::cell::OnceCell;
use std::path::Path;

/// Paths of the files in one version.
struct Files {
    /// Contains a line `oom_kill N` (version 1: since Linux 4.13).
    kills: &'static str,
    /// Contains a number of bytes (version 2: since Linux 5.19).
    peak: &'static str,
    /// Exists in a root group only.
    only_in_root: Option<&'static str>,
}

const VERSIONS: [Files; 2] = [
    Files { kills: "/sys/fs/cgroup/memory.events", peak: "/sys/fs/cgroup/memory.peak", only_in_root: None },
    Files {
        kills: "/sys/fs/cgroup/memory/memory.oom_control",
        peak: "/sys/fs/cgroup/memory/memory.max_usage_in_bytes",
        only_in_root: Some("/sys/fs/cgroup/memory/release_agent"),
    },
];

/// Counts from its creation on.
#[derive(Debug)]
pub(super) struct Watch {
    /// Processes killed before that; none if we are PID 1, with which a container begins.
    killed_before: u64,
    /// The figures at the end, once they were read.
    ended: OnceCell<Option<Cgroup>>,
}

impl Watch {
    pub(super) fn begin() -> Self {
        let is_init = rustix::process::getpid().is_init();
        let before = if is_init { None } else { now() };
        let killed_before = before.and_then(|cgroup| cgroup.oom_kills).unwrap_or(0);
        Self { killed_before, ended: OnceCell::new() }
    }

    /// Returns the number of processes killed before the creation.
    pub(super) fn killed_before(&self) -> u64 {
        self.killed_before
    }

    /// Returns the figures at the end, that of the first call; `None` where they cannot be read.
    pub(super) fn ended(&self) -> Option<Cgroup> {
        let read = || {
            let mut cgroup = now()?;
            cgroup.oom_kills = cgroup.oom_kills.map(|kills| kills.saturating_sub(self.killed_before));
            Some(cgroup)
        };
        self.ended.get_or_init(read).clone()
    }
}

fn now() -> Option<Cgroup> {
    // An unreadable file is one that this version or kernel does not have.
    let read = |path: &str| std::fs::read_to_string(path).ok();
    VERSIONS.iter().find_map(|files| {
        if files.only_in_root.is_some_and(|path| Path::new(path).exists()) {
            return None;
        }
        let kills = read(files.kills)?;
        let found = Cgroup {
            memory_peak_bytes: read(files.peak).and_then(|text| text.trim().parse().ok()),
            oom_kills: oom_kills(&kills),
        };
        (found != Cgroup::default()).then_some(found)
    })
}

fn oom_kills(events: &str) -> Option<u64> {
    events.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_count_kills() {
        assert_eq!(oom_kills("low 0\nhigh 0\nmax 9\noom 3\noom_kill 2\noom_group_kill 1\n"), Some(2));
        assert_eq!(oom_kills("oom_kill_disable 0\nunder_oom 0\noom_kill 4\n"), Some(4));
        assert_eq!(oom_kills("oom_kill_disable 0\nunder_oom 0\n"), None, "before Linux 4.13");
    }
}
