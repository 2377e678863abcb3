//! Programs for which the kernel refuses a system call, by a seccomp filter.

use std::path::PathBuf;
use std::process::Command;

/// Returns `command` behind another program, which becomes it.
pub fn behind(program: &str, args: &[&str], command: &Command) -> Command {
    let mut behind = Command::new(program);
    behind.args(args).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => behind.env(name, value),
            None => behind.env_remove(name),
        };
    }
    if let Some(dir) = command.get_current_dir() {
        behind.current_dir(dir);
    }
    behind
}

/// Returns `command` without the system call `call`, `chmod` or `socketpair`; `None` where no
/// filter can be set.
pub fn without(call: &str, command: &Command) -> Option<Command> {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("harness/refuse.py").display().to_string();
    let probe = Command::new("python3").args([&script, call, "true"]).status();
    let works = probe.is_ok_and(|status| status.success());
    works.then(|| behind("python3", &[&script, call], command))
}
