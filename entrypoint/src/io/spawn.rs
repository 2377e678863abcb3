//! Finding and starting the child, with upstream's error texts.

use super::start_hint;
use crate::sys::{self, Program};
use rustix::fs::{Access, CWD, Mode, OFlags};
use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Reason why the child could not be started, in upstream's words: it follows
/// `could not start the process: ` (E-26).
#[derive(Debug, thiserror::Error)]
pub(super) enum SpawnError {
    /// The output pipe could not be made.
    #[error("pipe: {}", go_error(.0))]
    Pipe(io::Error),
    /// Standard input could not be opened.
    #[error("open /dev/null: {}", go_error(.0))]
    Input(io::Error),
    /// PATH has no such program.
    #[error("exec: {name:?}: {why}")]
    LookUp {
        /// The name as given.
        name: String,
        /// Go's text.
        why: &'static str,
    },
    /// The kernel refused to run the program.
    #[error("fork/exec {}: {}", .path.display(), go_error(.source))]
    Exec {
        /// The program.
        path: PathBuf,
        /// The kernel's error.
        source: io::Error,
    },
}

impl SpawnError {
    /// Returns an explanation that upstream's text does not give.
    pub(super) fn hint(&self) -> Option<String> {
        match self {
            Self::Exec { path, source } => start_hint::explain(path, source.raw_os_error()?),
            Self::Pipe(_) | Self::Input(_) | Self::LookUp { .. } => None,
        }
    }

    /// Returns true if a lower number of open files could help.
    pub(super) fn lacks_descriptors(&self) -> bool {
        match self {
            Self::Pipe(error) | Self::Input(error) => error.raw_os_error() == Some(libc::EMFILE),
            Self::LookUp { .. } | Self::Exec { .. } => false,
        }
    }
}

/// Starts `args` with `extra` added to the inherited environment, under the limit of
/// descriptors if there is one, and returns its pid.
pub(super) fn spawn(
    args: &[String],
    extra: &[(&str, String)],
    output: BorrowedFd<'_>,
    descriptors: Option<libc::rlimit>,
) -> Result<i32, SpawnError> {
    let name = args.first().map_or("", String::as_str);
    let path = if name.contains('/') || name.is_empty() {
        PathBuf::from(name)
    } else {
        look_up(name, std::env::var_os("PATH").as_deref())?
    };
    let strings = || {
        let path = CString::new(path.as_os_str().as_bytes())?;
        let args = args.iter().map(|arg| CString::new(arg.as_str())).collect::<Result<Vec<_>, _>>()?;
        let extra = extra.iter().map(|(name, value)| CString::new(format!("{name}={value}")));
        Ok::<_, io::Error>((path, args, extra.collect::<Result<Vec<_>, _>>()?))
    };
    // The kernel would refuse a string with a NUL byte in it likewise.
    let Ok((program, args, extra)) = strings() else {
        return Err(SpawnError::Exec { path, source: io::Error::from_raw_os_error(libc::EINVAL) });
    };
    let input = open_null().map_err(SpawnError::Input)?;
    let program =
        Program { path: &program, args: &args, extra: &extra, input: input.as_fd(), output, descriptors };
    sys::start(&program).map_err(|source| SpawnError::Exec { path, source })
}

fn open_null() -> io::Result<OwnedFd> {
    Ok(rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
}

/// Looks a bare name up in PATH as Go's `exec.LookPath` does, which refuses a hit
/// relative to the current directory.
fn look_up(name: &str, path: Option<&OsStr>) -> Result<PathBuf, SpawnError> {
    let refused = |why| Err(SpawnError::LookUp { name: name.to_owned(), why });
    for dir in std::env::split_paths(path.unwrap_or_default()) {
        let dir = if dir.as_os_str().is_empty() { PathBuf::from(".") } else { dir };
        let file = dir.join(name);
        if is_executable(&file) {
            if file.is_absolute() {
                return Ok(file);
            }
            return refused("cannot run executable found relative to current directory");
        }
    }
    refused("executable file not found in $PATH")
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let allowed = rustix::fs::accessat(CWD, path, Access::EXEC_OK, rustix::fs::AtFlags::EACCESS);
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
        // Kernels before 5.8 do not check effective access; execve reports the error.
        && !matches!(allowed, Err(rustix::io::Errno::ACCESS))
}

/// Returns Go's text for an error of the kernel.
pub(super) fn go_error(error: &io::Error) -> String {
    let Some(errno) = error.raw_os_error() else { return error.to_string() };
    let text = match errno {
        libc::EPERM => "operation not permitted",
        libc::ENOENT => "no such file or directory",
        libc::EIO => "input/output error",
        libc::E2BIG => "argument list too long",
        libc::ENOEXEC => "exec format error",
        libc::EAGAIN => "resource temporarily unavailable",
        libc::ENOMEM => "cannot allocate memory",
        libc::EACCES => "permission denied",
        libc::EEXIST => "file exists",
        libc::ENOTDIR => "not a directory",
        libc::EISDIR => "is a directory",
        libc::EINVAL => "invalid argument",
        libc::ENFILE => "too many open files in system",
        libc::EMFILE => "too many open files",
        libc::ETXTBSY => "text file busy",
        libc::ENOSPC => "no space left on device",
        libc::EROFS => "read-only file system",
        libc::ENAMETOOLONG => "file name too long",
        libc::ELOOP => "too many levels of symbolic links",
        libc::EDQUOT => "disk quota exceeded",
        _ => return error.to_string(),
    };
    text.to_owned()
}
