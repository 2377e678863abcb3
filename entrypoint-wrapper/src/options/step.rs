//! The options of a step of ci-operator, checked in the order of contract W-3.

use super::Lookup;
use crate::exec::Words;
use crate::plan::Mode;
use crate::wait::Wait;
use common::duration::GoDuration;
use common::options::flag;
use std::ffi::OsString;
use std::path::PathBuf;

/// Where Kubernetes mounts token and CA file.
const SERVICE_ACCOUNT_DIR: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Long enough for an API server behind a load balancer to be restarted; nobody
/// waits for an update when a pod is being deleted, so that it does no harm there.
const UPDATE_TIMEOUT: GoDuration = GoDuration::from_secs(60);

common::options! {
    /// The flags of a step, as they were typed: [`Step::read`] checks them.
    pub struct StepFlags {
        /// `manage-kubeconfig`, `skip-kubeconfig` (leaves KUBECONFIG and the Secret alone) or `observer`
        /// (private KUBECONFIG, leaves the Secret alone).
        pub mode: Option<OsString> = flag("mode").no_key().value("MODE")
            .default(|| Mode::NAMES[0].0.to_owned()),
        /// Starts the command when this file is there; its directory must exist.
        pub wait_for_file: Option<OsString> = flag("wait-for-file").no_key().value("FILE"),
        /// Starts the command after this time anyway, with a warning, such as `10m`.
        pub wait_timeout: Option<OsString> = flag("wait-timeout").no_key().value("DURATION")
            .default(|| "no limit".to_owned()),
        /// Tries to write the Secret for this long; one attempt takes 10 s at most.
        pub update_timeout: Option<OsString> = flag("update-timeout").no_key().value("DURATION")
            .default(|| UPDATE_TIMEOUT.to_string()),
        /// The directory of `token` and `ca.crt`.
        pub service_account_dir: Option<OsString> = flag("service-account-dir").no_key().value("DIRECTORY")
            .default(|| SERVICE_ACCOUNT_DIR.to_owned()),
        /// Prints the Secret on stdout instead of writing it, early uploads too.
        pub dry_run: bool = flag("dry-run").no_key(),
    }
}

/// A step: a command with shared files around it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// The command.
    pub(crate) words: Words,
    /// Files that the step waits for before it starts.
    pub(crate) wait: Option<Wait>,
    /// Treatment of kubeconfig and Secret.
    pub(crate) mode: Mode,
    /// The Secret is printed instead of written.
    pub(crate) dry_run: bool,
    /// Where the shared files come from: `$SHARED_DIR`.
    pub(crate) source: PathBuf,
    /// The Secret's namespace: `$NAMESPACE`.
    pub(crate) namespace: String,
    /// The Secret's name: `$JOB_NAME_SAFE`.
    pub(crate) secret: String,
    /// Where token and CA file lie.
    pub(crate) service_account_dir: PathBuf,
    /// For how long the final update is tried.
    pub(crate) update_timeout: GoDuration,
}

impl Step {
    /// Reads and checks everything but the API server's configuration. The error
    /// is one line.
    pub(super) fn read(words: Words, flags: StepFlags, env: Lookup<'_>) -> Result<Self, String> {
        // Go's defaults are empty texts, so that an empty value is one not given.
        let given = |value: Option<OsString>| value.filter(|value| !value.is_empty());
        let wait = wait(given(flags.wait_for_file), given(flags.wait_timeout))?;
        let update_timeout = match given(flags.update_timeout) {
            Some(text) => duration("update-timeout", &text)?,
            None => UPDATE_TIMEOUT,
        };
        if update_timeout <= GoDuration::ZERO {
            return Err(format!("--update-timeout is {update_timeout}; allowed is any time longer than 0s"));
        }
        let source = variable(env, "SHARED_DIR", "the directory of the shared files")?;
        let namespace = name(env, "NAMESPACE", "the namespace of the Secret")?;
        let secret = name(env, "JOB_NAME_SAFE", "the name of the Secret")?;
        let mode = mode(given(flags.mode))?;
        let service_account_dir =
            given(flags.service_account_dir).unwrap_or_else(|| SERVICE_ACCOUNT_DIR.into());
        Ok(Self {
            words,
            wait,
            mode,
            dry_run: flags.dry_run,
            source: source.into(),
            namespace,
            secret,
            service_account_dir: service_account_dir.into(),
            update_timeout,
        })
    }
}

fn wait(file: Option<OsString>, limit: Option<OsString>) -> Result<Option<Wait>, String> {
    let Some(file) = file else {
        return match limit {
            Some(_) => Err("--wait-timeout needs --wait-for-file".to_owned()),
            None => Ok(None),
        };
    };
    let limit = limit.map(|text| duration("wait-timeout", &text)).transpose()?;
    Ok(Some(Wait { file: file.into(), limit }))
}

fn duration(flag: &str, text: &OsString) -> Result<GoDuration, String> {
    text.to_string_lossy().parse().map_err(|error| format!("--{flag}: {error}"))
}

fn variable(env: Lookup<'_>, name: &str, meaning: &str) -> Result<OsString, String> {
    match env(name) {
        Some(value) if !value.is_empty() => Ok(value),
        Some(_) => Err(format!("{name} is empty; it must be {meaning}")),
        None => Err(format!("{name} is not set; it must be {meaning}")),
    }
}

/// A name that becomes a part of a URL's path.
fn name(env: Lookup<'_>, name: &str, meaning: &str) -> Result<String, String> {
    let value = variable(env, name, meaning)?;
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    match value.into_string() {
        Ok(text) if text.as_bytes().iter().all(allowed) && !matches!(text.as_str(), "." | "..") => Ok(text),
        Ok(text) => Err(not_a_name(name, meaning, &text)),
        Err(value) => Err(not_a_name(name, meaning, &value.to_string_lossy())),
    }
}

fn not_a_name(name: &str, meaning: &str, value: &str) -> String {
    format!("{name} is {value:?}; it must be {meaning}: letters, digits, `-` and `.`")
}

fn mode(value: Option<OsString>) -> Result<Mode, String> {
    let Some(value) = value else { return Ok(Mode::ManageKubeconfig) };
    let found = Mode::NAMES.into_iter().find(|(name, _)| value == *name);
    found.map(|(_, mode)| mode).ok_or_else(|| {
        let names = Mode::NAMES.map(|(name, _)| name).join(", ");
        format!("--mode is {:?}; allowed are {names}", value.to_string_lossy())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENV: [(&str, &str); 3] = [("SHARED_DIR", "/shared"), ("NAMESPACE", "ns"), ("JOB_NAME_SAFE", "e2e")];

    fn read(flags: &[(&str, &str)], env: &[(&str, &str)]) -> Result<Step, String> {
        let find = |list: &[(&str, &str)], name: &str| {
            list.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
        };
        let words = Words { program: "true".into(), args: Vec::new() };
        let flag = |name: &str| find(flags, name);
        let flags = StepFlags {
            mode: flag("mode"),
            wait_for_file: flag("wait-for-file"),
            wait_timeout: flag("wait-timeout"),
            update_timeout: flag("update-timeout"),
            service_account_dir: flag("service-account-dir"),
            dry_run: false,
        };
        Step::read(words, flags, &|name| find(env, name))
    }

    #[test]
    fn defaults() {
        let step = read(&[], &ENV).expect("valid");
        assert_eq!((step.mode, step.wait), (Mode::ManageKubeconfig, None));
        assert_eq!((step.namespace.as_str(), step.secret.as_str()), ("ns", "e2e"));
        assert_eq!(step.update_timeout.to_string(), "1m0s");
        let empty = [("mode", ""), ("wait-for-file", ""), ("wait-timeout", ""), ("update-timeout", "")];
        let again = read(&empty, &ENV).expect("valid");
        assert_eq!((again.mode, again.wait), (Mode::ManageKubeconfig, None));
    }

    #[test]
    fn flags_are_understood() {
        let flags = [("wait-for-file", "/up"), ("wait-timeout", "1.5h"), ("mode", "observer")];
        let step = read(&flags, &ENV).expect("valid");
        assert_eq!(step.mode, Mode::Observer);
        let wait = step.wait.expect("a wait");
        assert_eq!((wait.file, wait.limit), ("/up".into(), "1h30m0s".parse().ok()));
    }

    #[test]
    fn w_3_the_first_mistake_is_told() {
        type Variables<'a> = &'a [(&'a str, &'a str)];
        let cases: [(Variables<'_>, Variables<'_>, &str); 9] = [
            (&[("wait-timeout", "x")], &[], "--wait-timeout needs --wait-for-file"),
            (&[("wait-timeout", "5"), ("wait-for-file", "f")], &[], "--wait-timeout: \"5\""),
            (&[("update-timeout", "0s")], &[], "--update-timeout is 0s"),
            (&[("mode", "x")], &[("SHARED_DIR", "")], "SHARED_DIR is empty"),
            (&[("mode", "x")], &ENV[..1], "NAMESPACE is not set"),
            (&[("mode", "x")], &ENV[..2], "JOB_NAME_SAFE is not set"),
            (&[], &[ENV[0], ENV[1], ("JOB_NAME_SAFE", "..")], "JOB_NAME_SAFE is \"..\""),
            (&[], &[ENV[0], ("NAMESPACE", "a/b"), ENV[2]], "NAMESPACE is \"a/b\""),
            (
                &[("mode", "x")],
                &ENV,
                "--mode is \"x\"; allowed are manage-kubeconfig, skip-kubeconfig, observer",
            ),
        ];
        for (flags, env, expected) in cases {
            let told = read(flags, env).expect_err(expected);
            assert!(told.starts_with(expected), "{told} instead of {expected}");
        }
    }
}
