//! Control groups with limits, and mounts that nobody else sees.

use crate::refused::behind;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// Where a container finds its own.
pub const ROOT: &str = "/sys/fs/cgroup";

/// Limit of memory of each group, in bytes. The limit of the CPU is a quarter of one.
pub const MEMORY_LIMIT: u64 = 64 << 20;

/// A control group that its processes see as their container's: it lies over the
/// hierarchy's root, as runtimes do it without namespaces of control groups.
#[derive(Debug)]
pub struct ControlGroup {
    /// The roots of the hierarchies, each with the group's directory.
    places: Vec<(PathBuf, PathBuf)>,
}

impl ControlGroup {
    /// Makes one with limits; the error says why there is none.
    ///
    /// # Errors
    /// If mounts or control groups are not permitted here.
    pub fn new() -> Result<Self, String> {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        may_mount()?;
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = format!("pod-utils-test-{}-{number}", std::process::id());
        let is_version_2 = Path::new(ROOT).join("cgroup.controllers").exists();
        let mut roots = if is_version_2 {
            // Refused where a controller is missing or on already; the limits below tell.
            let _ = fs::write(format!("{ROOT}/cgroup.subtree_control"), "+memory +cpu +pids +io");
            vec![PathBuf::from(ROOT)]
        } else {
            let hierarchies =
                ["memory", "cpu", "cpuacct", "pids", "blkio"].map(|name| format!("{ROOT}/{name}"));
            hierarchies.iter().filter_map(|path| fs::canonicalize(path).ok()).collect()
        };
        roots.dedup();
        let mut group = Self { places: Vec::new() };
        for root in roots {
            let dir = root.join(&name);
            fs::create_dir(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
            group.places.push((root, dir));
        }
        if is_version_2 {
            group.set("memory.max", &MEMORY_LIMIT.to_string())?;
            group.set("cpu.max", "25000 100000")?;
            // Absent in a kernel without swap accounting, which then needs no limit.
            let _ = group.set("memory.swap.max", "0");
        } else {
            group.set("memory.limit_in_bytes", &MEMORY_LIMIT.to_string())?;
            group.set("cpu.cfs_quota_us", "25000")?;
            // Absent in a kernel without swap accounting, which then needs no limit.
            let _ = group.set("memory.memsw.limit_in_bytes", &MEMORY_LIMIT.to_string());
        }
        Ok(group)
    }

    /// Writes to the file of that name, in whatever hierarchy it is.
    fn set(&self, file: &str, value: &str) -> Result<(), String> {
        let mut paths = self.places.iter().map(|(_, dir)| dir.join(file));
        let path = paths.find(|path| path.exists()).ok_or(format!("no control group has {file}"))?;
        fs::write(&path, value).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// The command as a member of the group, which it takes for the root.
    pub fn around(&self, command: &Command) -> Command {
        let enter = self.places.iter().map(|(_, dir)| format!("echo $$ >'{}/cgroup.procs'", dir.display()));
        let hide = self
            .places
            .iter()
            .map(|(root, dir)| format!("mount --bind '{}' '{}'", dir.display(), root.display()));
        behind_mounts(&enter.chain(hide).collect::<Vec<_>>().join(" && "), command)
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        for (_, dir) in &self.places {
            crate::wait::until("the group is empty", || fs::remove_dir(dir).ok());
        }
    }
}

/// A command behind a script, with mounts that nobody else sees.
pub fn behind_mounts(script: &str, command: &Command) -> Command {
    let script = format!("{script} && exec \"$0\" \"$@\"");
    behind("unshare", &["--mount", "sh", "-c", &script], command)
}

/// Finds out if tests may mount.
///
/// # Errors
/// If they may not.
pub fn may_mount() -> Result<(), String> {
    let attempt = behind_mounts(&format!("mount --bind {ROOT} {ROOT}"), &Command::new("true")).output();
    match attempt {
        Ok(output) if output.status.success() => Ok(()),
        Ok(_) | Err(_) => Err("unshare --mount is not permitted here".to_owned()),
    }
}
