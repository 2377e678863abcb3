//! The profile files of AWS, which the object store library does not read
//! (<https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>).

use super::variables::{Variables, cleaned};
use super::{StoreError, setup};
use std::collections::BTreeMap;
use std::path::PathBuf;
use zeroize::Zeroize;

/// Settings that become part of requests.
const REQUEST_SETTINGS: [&str; 5] =
    ["aws_access_key_id", "aws_secret_access_key", "aws_session_token", "endpoint_url", "region"];

/// One profile's settings, merged from both files.
#[derive(Default)]
pub(super) struct Profile {
    name: String,
    settings: BTreeMap<String, String>,
}

impl Drop for Profile {
    fn drop(&mut self) {
        for value in self.settings.values_mut() {
            value.zeroize();
        }
    }
}

impl Profile {
    /// Reads the profile that the environment names. Absent files are empty.
    pub(super) fn load<F: Fn(&str) -> Option<String>>(variables: &Variables<F>) -> Result<Self, StoreError> {
        let name = variables.get("AWS_PROFILE")?.unwrap_or_else(|| "default".to_owned());
        let home = variables.home().map(|home| PathBuf::from(home).join(".aws"));
        let location = |variable: &str, file: &str| -> Result<_, StoreError> {
            let home = home.as_ref().map(|home| home.join(file));
            Ok(variables.get(variable)?.map(PathBuf::from).or(home))
        };
        let mut settings = BTreeMap::new();
        let files = [
            (location("AWS_CONFIG_FILE", "config")?, true),
            (location("AWS_SHARED_CREDENTIALS_FILE", "credentials")?, false),
        ];
        for (path, prefixed) in files {
            let Some(path) = path else { continue };
            let mut text = match std::fs::read_to_string(&path) {
                Ok(text) => text,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => {
                    return Err(setup(format!("AWS profile file {}: {error}", path.display())));
                }
            };
            let section = section(&text, &name, prefixed);
            text.zeroize();
            for (key, value) in section {
                // Of the other settings none goes into a request.
                if REQUEST_SETTINGS.contains(&key.as_str()) {
                    cleaned(&format!("AWS profile file {}: {key}", path.display()), &value)?;
                }
                settings.insert(key, value);
            }
        }
        Ok(Self { name, settings })
    }

    /// Returns access key, secret key and session token (often empty), where the
    /// profile holds them.
    pub(super) fn keys(&self) -> Result<Option<(&str, &str, &str)>, StoreError> {
        let get = |key: &str| self.settings.get(key).map(String::as_str);
        if let (Some(id), Some(secret)) = (get("aws_access_key_id"), get("aws_secret_access_key")) {
            return Ok(Some((id, secret, get("aws_session_token").unwrap_or_default())));
        }
        let unsupported = ["role_arn", "credential_process", "sso_session", "sso_start_url"];
        match unsupported.iter().find(|key| self.settings.contains_key(**key)) {
            Some(key) => Err(setup(format!(
                "AWS profile {:?}: `{key}` is not supported; allowed are aws_access_key_id with \
                 aws_secret_access_key, or s3_credentials_file, or the environment",
                self.name
            ))),
            None => Ok(None),
        }
    }

    pub(super) fn region(&self) -> Option<String> {
        self.settings.get("region").cloned()
    }

    pub(super) fn ca_bundle(&self) -> Option<String> {
        self.settings.get("ca_bundle").cloned()
    }

    pub(super) fn endpoint(&self) -> Option<String> {
        self.settings.get("endpoint_url").cloned()
    }
}

/// Returns the settings of a section: `[name]`, or `[profile name]` in the config file.
fn section(text: &str, name: &str, prefixed: bool) -> BTreeMap<String, String> {
    let mut settings = BTreeMap::new();
    let mut inside = false;
    for line in text.lines() {
        // An indented line belongs to a nested setting, none of which is of use here.
        if line.starts_with([' ', '\t', '#', ';']) {
            continue;
        }
        if let Some(header) = line.strip_prefix('[') {
            let header = header.split(']').next().unwrap_or(header).trim();
            inside = match header.strip_prefix("profile ") {
                Some(profile) if prefixed => profile.trim() == name,
                Some(_) | None => header == name && (!prefixed || name == "default"),
            };
        } else if inside && let Some((key, value)) = line.split_once('=') {
            settings.insert(key.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(config: &str, credentials: &str, name: Option<&str>) -> Profile {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(dir.path().join(".aws")).expect("made");
        std::fs::write(dir.path().join(".aws/config"), config).expect("written");
        std::fs::write(dir.path().join(".aws/credentials"), credentials).expect("written");
        let home = dir.path().display().to_string();
        Profile::load(&Variables::new(|variable: &str| match variable {
            "HOME" => Some(home.clone()),
            "AWS_PROFILE" => name.map(str::to_owned),
            _ => None,
        }))
        .expect("loaded")
    }

    const CONFIG: &str = "[default]\nregion = eu-west-1\ns3 =\n  region = nested\n\
                          [profile ci]\nregion=us-east-2\nrole_arn = arn\n";
    const CREDENTIALS: &str = "# keys\n[default]\naws_access_key_id = ID\naws_secret_access_key=KEY=x\n";

    #[test]
    fn the_default_profile_is_read_from_both_files() {
        let profile = profile(CONFIG, CREDENTIALS, None);
        assert_eq!(profile.keys().expect("usable"), Some(("ID", "KEY=x", "")));
        assert_eq!(profile.region().as_deref(), Some("eu-west-1"));
    }

    #[test]
    fn what_a_profile_needs_and_we_lack_is_named() {
        let profile = profile(CONFIG, CREDENTIALS, Some("ci"));
        assert_eq!(profile.region().as_deref(), Some("us-east-2"));
        let error = profile.keys().expect_err("refused").to_string();
        assert!(error.contains("role_arn") && error.contains("ci"), "{error}");
    }

    #[test]
    fn absent_files_give_nothing() {
        let profile = Profile::load(&Variables::new(|_: &str| None)).expect("loaded");
        assert_eq!(profile.keys().expect("usable"), None);
        assert_eq!(profile.endpoint(), None);
    }
}
