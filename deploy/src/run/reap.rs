//! The part of a container runtime when a container's first process has ended:
//! nothing of the container stays.
//!
//! Entrypoint cleans up behind its job; only when it was killed does something
//! stay. `podutils` is the subreaper of its descendants, where it may be, so that
//! these processes become its children.

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, waitpid};
use std::time::Duration;

/// A killed process is gone in less, unless it sleeps uninterruptibly.
const MAX_ROUNDS: u32 = 500;

/// Kills and reaps the children that `podutils` has adopted, and theirs, until
/// none is left; `own` are the ones it started itself.
pub(super) fn adopted(own: &[Pid]) {
    for _ in 0..MAX_ROUNDS {
        let children = adopted_children(own);
        if children.is_empty() {
            return;
        }
        for pid in children {
            // Each fails only when the process has ended, or been reaped, meanwhile.
            let _ = kill_process(pid, Signal::KILL);
            let _ = waitpid(Some(pid), WaitOptions::NOHANG);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn adopted_children(own: &[Pid]) -> Vec<Pid> {
    let me = getpid();
    // Without /proc nothing can be found, and nothing be done.
    let names = std::fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.file_name());
    let pids = names.filter_map(|name| Pid::from_raw(name.to_str()?.parse().ok()?));
    pids.filter(|pid| parent_of(*pid) == Some(me) && !own.contains(pid)).collect()
}

/// Field 4 of `/proc/<pid>/stat` (proc(5)); the name before it may hold anything.
fn parent_of(pid: Pid) -> Option<Pid> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let after_name = stat.iter().rposition(|byte| *byte == b')')? + 1;
    let fields = String::from_utf8_lossy(&stat[after_name..]);
    Pid::from_raw(fields.split_whitespace().nth(1)?.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn the_parent_is_found_behind_an_odd_name() {
        let mut child = Command::new("sleep").arg("60").spawn().expect("started");
        let pid = Pid::from_child(&child);
        assert_eq!(parent_of(pid), Some(getpid()));
        assert!(adopted_children(&[]).contains(&pid));
        assert!(!adopted_children(&[pid]).contains(&pid));
        child.kill().expect("killed");
        child.wait().expect("reaped");
    }
}
