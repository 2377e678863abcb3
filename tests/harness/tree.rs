//! Every process of one test.
//!
//! Children of hostile programs leave sessions and process groups, so a mark in
//! the environment, which every descendant inherits, tells whose they are.

use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsString;
use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

/// The variable that carries the mark.
const VARIABLE: &str = "POD_UTILS_TEST_TREE";

/// The processes that carry one mark; all of them are killed on drop.
#[derive(Debug)]
pub struct Tree {
    mark: String,
}

/// A live process of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its process id.
    pub pid: i32,
    /// Its command line, words separated by spaces.
    pub command: String,
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

impl Tree {
    /// A tree without processes yet.
    pub fn new() -> Self {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        Self { mark: format!("{}-{number}", std::process::id()) }
    }

    /// Variable for the environment of the tree's first processes.
    pub fn variable(&self) -> (&'static str, &str) {
        (VARIABLE, &self.mark)
    }

    /// The processes alive now, zombies left out.
    pub fn members(&self) -> Vec<Member> {
        let wanted = format!("{VARIABLE}={}", self.mark).into_bytes();
        let pids = fs::read_dir("/proc").expect("/proc").filter_map(|entry| {
            let name: OsString = entry.ok()?.file_name();
            name.to_str()?.parse::<i32>().ok()
        });
        pids.filter(|pid| {
            // A process that has just ended has no environment any more.
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == wanted)
        })
        .map(|pid| {
            let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&words).replace('\0', " ").trim_end().to_owned();
            Member { pid, command }
        })
        .collect()
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        // Again as long as somebody is there: one may have forked meanwhile.
        for _ in 0..100 {
            let members = self.members();
            if members.is_empty() {
                return;
            }
            for member in members {
                if let Some(pid) = Pid::from_raw(member.pid) {
                    // It may have ended by itself.
                    let _ = kill_process(pid, Signal::KILL);
                }
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }
}
