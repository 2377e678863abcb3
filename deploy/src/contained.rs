//! The programs that this one contains, so that a `podutils` that was copied alone can
//! run jobs: under the name of one of them it is that program.

use entrypoint::sys::CommandLine;
use std::ffi::{CStr, OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

/// The name of entrypoint.
pub(crate) const ENTRYPOINT: &str = "entrypoint";

/// The name of sidecar.
pub(crate) const SIDECAR: &str = "sidecar";

/// Runs the program that the first argument names, if it is one of the two. Called
/// first in `main`: entrypoint expects a process with one thread and its signals as
/// they were inherited.
pub(crate) fn run(args: &[OsString]) -> Option<ExitCode> {
    let (program, args) = args.split_first()?;
    let name = Path::new(program).file_name()?;
    if name == ENTRYPOINT {
        show_as(c"entrypoint");
        let words = CommandLine { program: program.clone(), args: args.to_vec() };
        return Some(ExitCode::from(entrypoint::run(words)));
    }
    if name == SIDECAR {
        show_as(c"sidecar");
    }
    let sidecar = || std::iter::once(OsString::from(SIDECAR)).chain(args.iter().cloned());
    (name == SIDECAR).then(|| sidecar::run(sidecar()))
}

/// Sets the name that ps(1) and top(1) show, which is `exe` after /proc/self/exe.
fn show_as(name: &CStr) {
    // Whoever looks is misled at worst.
    let _ = rustix::thread::set_name(name);
}

/// Returns the file to execute for a program: this one, for a bare name that it
/// contains.
pub(crate) fn executable(program: &OsStr) -> &OsStr {
    if program == ENTRYPOINT || program == SIDECAR { OsStr::new("/proc/self/exe") } else { program }
}
