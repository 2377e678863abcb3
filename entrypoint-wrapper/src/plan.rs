//! The meaning of a step's environment and mode: pure, without access to the system.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// The home directory of commands that have none they can write to. ci-operator
/// mounts an empty volume there.
const FALLBACK_HOME: &str = "/alabama";

/// The handling of kubeconfig and Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Private kubeconfig, early upload, final update.
    ManageKubeconfig,
    /// None of the three.
    SkipKubeconfig,
    /// Private kubeconfig only.
    Observer,
}

impl Mode {
    /// Every mode with its name on the command line.
    pub(crate) const NAMES: [(&'static str, Self); 3] = [
        ("manage-kubeconfig", Self::ManageKubeconfig),
        ("skip-kubeconfig", Self::SkipKubeconfig),
        ("observer", Self::Observer),
    ];

    /// Returns whether the Secret is written, early and at the end.
    pub(crate) fn writes_secret(self) -> bool {
        match self {
            Self::ManageKubeconfig => true,
            Self::SkipKubeconfig | Self::Observer => false,
        }
    }

    /// Returns whether the configuration of the API server must be there. An observer
    /// needs it although it never uses it (W-4).
    pub(crate) fn needs_cluster(self) -> bool {
        match self {
            Self::ManageKubeconfig | Self::Observer => true,
            Self::SkipKubeconfig => false,
        }
    }

    /// The original of the command's private kubeconfig, when it gets one (W-70);
    /// `variable` is `$KUBECONFIG`.
    pub(crate) fn private_kubeconfig(self, variable: Option<OsString>) -> Option<PathBuf> {
        match self {
            Self::ManageKubeconfig | Self::Observer => variable.map(PathBuf::from),
            Self::SkipKubeconfig => None,
        }
    }
}

/// The inputs of the command's environment.
#[derive(Debug)]
pub(crate) struct Given<'a> {
    /// `$HOME`, when it can be written to.
    pub(crate) writable_home: Option<OsString>,
    /// `$PATH`.
    pub(crate) path: Option<OsString>,
    /// `$CLI_DIR`.
    pub(crate) cli_dir: Option<OsString>,
    /// The directory with the copied shared files.
    pub(crate) shared_dir: &'a Path,
    /// The path of the private kubeconfig.
    pub(crate) kubeconfig: Option<&'a Path>,
}

/// The differences between the command's environment and our own.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Environment {
    /// Variables to set; all others are passed on.
    pub(crate) changes: Vec<(&'static str, OsString)>,
    /// The command's home directory.
    pub(crate) home: PathBuf,
}

/// The environment of the command (W-6, W-60, W-65, W-71).
pub(crate) fn environment(given: Given<'_>) -> Environment {
    let mut changes = vec![("SHARED_DIR", given.shared_dir.into())];
    let home = given.writable_home.unwrap_or_else(|| {
        changes.push(("HOME", FALLBACK_HOME.into()));
        FALLBACK_HOME.into()
    });
    if let Some(dir) = given.cli_dir.filter(|dir| !dir.is_empty()) {
        changes.push(("PATH", extended(given.path.unwrap_or_default(), &dir)));
    }
    if let Some(path) = given.kubeconfig {
        changes.push(("KUBECONFIG", path.into()));
    }
    Environment { changes, home: home.into() }
}

/// An empty component would mean the current directory.
fn extended(mut path: OsString, dir: &OsStr) -> OsString {
    if !path.is_empty() {
        path.push(":");
    }
    path.push(dir);
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given() -> Given<'static> {
        Given {
            writable_home: Some("/home/me".into()),
            path: Some("/bin:/usr/bin".into()),
            cli_dir: None,
            shared_dir: Path::new("/tmp/secret"),
            kubeconfig: None,
        }
    }

    fn changes(given: Given<'_>) -> Vec<(&'static str, OsString)> {
        environment(given).changes
    }

    #[test]
    fn v_wu_1_cli_dir_is_appended_to_path() {
        let given = Given { cli_dir: Some("/usr/local/bin/oc".into()), ..given() };
        assert_eq!(changes(given)[1], ("PATH", "/bin:/usr/bin:/usr/local/bin/oc".into()));
    }

    #[test]
    fn v_wu_2_without_cli_dir_path_is_left_alone() {
        assert_eq!(changes(given()), [("SHARED_DIR", "/tmp/secret".into())]);
        let empty = Given { cli_dir: Some("".into()), ..given() };
        assert_eq!(changes(empty), [("SHARED_DIR", "/tmp/secret".into())]);
        let only = Given { cli_dir: Some("/cli".into()), path: None, ..given() };
        assert_eq!(changes(only)[1], ("PATH", "/cli".into()));
    }

    #[test]
    fn v_wu_3_a_writable_home_is_left_alone() {
        let found = environment(given());
        assert_eq!(found.home, Path::new("/home/me"));
        assert!(found.changes.iter().all(|(name, _)| *name != "HOME"));
    }

    #[test]
    fn v_wu_4_without_a_writable_home_it_is_alabama() {
        let found = environment(Given { writable_home: None, ..given() });
        assert_eq!(found.home, Path::new("/alabama"));
        assert_eq!(found.changes, [("SHARED_DIR", "/tmp/secret".into()), ("HOME", "/alabama".into())]);
    }

    #[test]
    fn w_70_the_private_kubeconfig_depends_on_mode_and_variable() {
        for (mode, private) in
            [(Mode::ManageKubeconfig, true), (Mode::SkipKubeconfig, false), (Mode::Observer, true)]
        {
            assert_eq!(mode.private_kubeconfig(Some("a".into())).is_some(), private, "{mode:?}");
            assert_eq!(mode.private_kubeconfig(Some("".into())).is_some(), private, "{mode:?}");
            assert_eq!(mode.private_kubeconfig(None), None, "{mode:?}");
        }
        let given = Given { kubeconfig: Some(Path::new("/tmp/kubeconfig-1/kubeconfig")), ..given() };
        assert_eq!(changes(given)[1], ("KUBECONFIG", "/tmp/kubeconfig-1/kubeconfig".into()));
    }
}
