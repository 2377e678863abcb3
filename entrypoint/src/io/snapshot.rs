//! The job's processes as they are before the first signal.

use super::processes::{Listed, Processes};
use super::stat::{self, reads_a_pipe};
use common::report::{MAX_COMMAND_BYTES, MAX_PROCESSES, MAX_PROCESSES_BYTES, ProcessState};
use std::time::{Duration, Instant};

/// Upper bound on the time that a signal waits for this.
const TIME_LIMIT: Duration = Duration::from_millis(50);

/// Upper bound on the JSON of a process without its command line.
const ENTRY_BYTES: usize = 288;

/// Takes the snapshot: the processes in the order of their numbers, one of them marked
/// as the one that used most CPU and one as the one that waits longest.
pub(super) fn take(processes: &mut Processes) -> Vec<ProcessState> {
    let deadline = Instant::now() + TIME_LIMIT;
    let tree = processes.list_tree(deadline);
    let (busiest, waiting) = (busiest(&tree), waits_longest(&tree));
    let mut taken = Vec::new();
    let mut bytes = 0;
    for Listed { pid, stat } in tree.into_iter().take(MAX_PROCESSES) {
        let in_time = Instant::now() < deadline;
        let read = |file| if in_time { escaped(&stat::text(pid, file)) } else { String::new() };
        let mut state = ProcessState {
            pid,
            parent: stat.parent.and_then(|pid| i32::try_from(pid).ok()).unwrap_or(0),
            name: read("comm"),
            state: stat.state.map(|letter| char::from(letter).to_string()).unwrap_or_default(),
            wchan: read("wchan"),
            threads: stat.threads,
            age_ms: stat.age_ms(),
            cpu_ms: stat.cpu_ms(),
            rss_bytes: stat.rss_bytes(),
            waits_longest: waiting == Some(pid),
            most_cpu: busiest == Some(pid),
            command: String::new(),
        };
        if state.wchan == "0" {
            state.wchan.clear();
        }
        bytes += ENTRY_BYTES + state.wchan.len();
        if in_time {
            let mut command = escaped(&stat::command(pid));
            command.truncate(command.floor_char_boundary(MAX_COMMAND_BYTES));
            if bytes + command.len() <= MAX_PROCESSES_BYTES {
                bytes += command.len();
                state.command = command;
            }
        }
        taken.push(state);
    }
    taken
}

/// Replaces the two characters that JSON would escape, so that lengths stay what they are.
fn escaped(text: &str) -> String {
    text.replace(['"', '\\'], "'")
}

/// Returns the process that used most CPU time.
fn busiest(tree: &[Listed]) -> Option<i32> {
    let busiest = tree.iter().max_by_key(|listed| listed.stat.cpu_ms())?;
    (busiest.stat.cpu_ms() > 0).then_some(busiest.pid)
}

/// Returns the oldest process that sleeps and has no children for which it could wait.
/// A filter, whose standard input is a pipe, counts only if there is nobody else.
fn waits_longest(tree: &[Listed]) -> Option<i32> {
    let is_parent = |pid: i32| tree.iter().any(|other| other.stat.parent == u32::try_from(pid).ok());
    let sleeps =
        |listed: &&Listed| matches!(listed.stat.state, Some(b'S' | b'D' | b'T')) && !is_parent(listed.pid);
    let oldest =
        tree.iter().filter(sleeps).min_by_key(|listed| (reads_a_pipe(listed.pid), listed.stat.started));
    oldest.map(|listed| listed.pid)
}
