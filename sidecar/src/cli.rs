//! The command line that the programs of this binary share: it selects one of
//! them, and reports options that cannot be used.

use crate::options::{self, LoadError};
use common::codes;
use common::json::Notes;
use common::options::{Source, source};
use std::ffi::{OsStr, OsString};
use std::path::Path;
use tracing::Level;

/// The programs in this binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// Waits for entries and delivers their results.
    Sidecar,
    /// Announces that a job has started.
    InitUpload,
    /// Uploads files and directories.
    GcsUpload,
}

impl Program {
    /// Selects the program by the base name of the first argument, else by a
    /// subcommand right behind it; returns it with the arguments that follow.
    pub(crate) fn choose(args: impl IntoIterator<Item = OsString>) -> (Self, Vec<OsString>) {
        let given = matches!(source(options::VARIABLE), Source::Json(_));
        Self::of(args, given)
    }

    /// With `options_given` in sidecar's own variable, its command line is
    /// ignored completely (O-2), subcommands included.
    fn of(args: impl IntoIterator<Item = OsString>, options_given: bool) -> (Self, Vec<OsString>) {
        let mut args = args.into_iter();
        let name = args.next().unwrap_or_default();
        let mut args: Vec<_> = args.collect();
        if let Some(program) = Path::new(&name).file_name().and_then(Self::named) {
            return (program, args);
        }
        match args.first().and_then(|first| Self::named(first)) {
            Some(program) if !options_given => {
                args.remove(0);
                (program, args)
            }
            Some(_) | None => (Self::Sidecar, args),
        }
    }

    fn named(name: &OsStr) -> Option<Self> {
        [Self::InitUpload, Self::GcsUpload].into_iter().find(|program| name == program.name())
    }

    /// Returns its name, which is also the component of its records.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sidecar => "sidecar",
            Self::InitUpload => "initupload",
            Self::GcsUpload => "gcsupload",
        }
    }

    /// Returns the level of its records (E-82).
    pub(crate) const fn level(self) -> Level {
        match self {
            Self::Sidecar => Level::DEBUG,
            Self::InitUpload | Self::GcsUpload => Level::INFO,
        }
    }
}

/// Reports options that cannot be used; returns the exit status. A request for
/// help or the version is answered on stdout.
pub(crate) fn refuse(error: LoadError) -> u8 {
    match error {
        LoadError::Option(error) => {
            common::fatal!(error = %error, "Could not resolve options");
            codes::EXIT_FAILURE
        }
        LoadError::Flags(error) => {
            match error.exit_status() {
                0 => print!("{}", error.text()),
                _ => eprint!("{}", error.text()),
            }
            error.exit_status()
        }
    }
}

/// Warns of unknown keys, once each.
pub(crate) fn warn_unknown(notes: &Notes) {
    for key in notes.unknown() {
        tracing::warn!("Ignoring the unknown option {key}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(args: &[&str], given: bool) -> (Program, Vec<OsString>) {
        Program::of(args.iter().map(OsString::from), given)
    }

    #[test]
    fn the_name_decides_then_a_subcommand() {
        for (args, program, left) in [
            (&["/initupload", "--dry-run"][..], Program::InitUpload, &["--dry-run"][..]),
            (&["gcsupload", "initupload"], Program::GcsUpload, &["initupload"]),
            (&["/sidecar", "gcsupload", "/a"], Program::GcsUpload, &["/a"]),
            (&["any-name", "initupload"], Program::InitUpload, &[]),
            (&["sidecar", "--job=j", "initupload"], Program::Sidecar, &["--job=j", "initupload"]),
            (&["sidecar"], Program::Sidecar, &[]),
            (&[], Program::Sidecar, &[]),
        ] {
            let left: Vec<_> = left.iter().map(OsString::from).collect();
            assert_eq!(chosen(args, false), (program, left), "{args:?}");
        }
    }

    #[test]
    fn o_2_with_options_given_the_command_line_is_ignored() {
        assert_eq!(chosen(&["sidecar", "gcsupload"], true).0, Program::Sidecar);
        assert_eq!(chosen(&["/bin/gcsupload"], true).0, Program::GcsUpload);
    }
}
