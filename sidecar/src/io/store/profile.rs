//! The profile files of AWS, which the object store library does not read
//! (<https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>).

use super::setting::{Kind, checked};
use super::variables::Variables;
use super::{StoreError, setup};
use object_store::aws::AwsCredential;
use std::collections::BTreeMap;
use std::path::PathBuf;
use zeroize::Zeroize;

/// The settings that are used. The others may be anything.
const SETTINGS: &[(&str, Kind)] = &[
    ("aws_access_key_id", Kind::Text),
    ("aws_secret_access_key", Kind::Text),
    ("aws_session_token", Kind::Text),
    ("ca_bundle", Kind::Path),
    ("credential_source", Kind::Text),
    ("duration_seconds", Kind::Text),
    ("endpoint_url", Kind::Base("https")),
    ("external_id", Kind::Text),
    ("region", Kind::Label),
    ("request_checksum_calculation", Kind::Text),
    ("role_arn", Kind::Text),
    ("role_session_name", Kind::Text),
    ("source_profile", Kind::Path),
];

/// Roles that a profile may need one after another.
const MAX_ROLES: usize = 8;

/// The name of a session where the profile has none: it stands in the logs of the account.
const SESSION_NAME: &str = "pod-utils";

/// A role to be assumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Role {
    pub(super) arn: String,
    pub(super) session_name: String,
    pub(super) external_id: Option<String>,
    pub(super) seconds: Option<String>,
}

/// The keys with which the first role of a chain is assumed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum KeySource {
    Keys(AwsCredential),
    Container,
    Machine,
}

/// Roles, each assumed with the keys of the one behind it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RoleChain {
    pub(super) roles: Vec<Role>,
    pub(super) last: KeySource,
}

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
    pub(super) fn load(variables: Variables<'_>) -> Result<Self, StoreError> {
        let name = variables.get("AWS_PROFILE")?.unwrap_or_else(|| "default".to_owned());
        Self::named(variables, name)
    }

    fn named(variables: Variables<'_>, name: String) -> Result<Self, StoreError> {
        let home = variables.home().map(|home| home.join(".aws"));
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
                let value = match SETTINGS.iter().find(|(known, _)| *known == key) {
                    Some((_, kind)) => {
                        checked(&format!("AWS profile file {}: {key}", path.display()), *kind, &value)?
                    }
                    None => value,
                };
                settings.insert(key, value);
            }
        }
        Ok(Self { name, settings })
    }

    /// Returns access key, secret key and session token (often empty), where the
    /// profile holds them.
    pub(super) fn keys(&self) -> Result<Option<(&str, &str, &str)>, StoreError> {
        let fixed = self.fixed();
        if fixed.is_some() {
            return Ok(fixed);
        }
        let unsupported = ["role_arn", "credential_process", "sso_session", "sso_start_url"];
        match unsupported.iter().find(|key| self.settings.contains_key(**key)) {
            Some(key) => Err(setup(format!(
                "AWS profile {:?}: `{key}` is not supported; allowed are aws_access_key_id with \
                 aws_secret_access_key, role_arn with source_profile or credential_source, or s3_credentials_file, or \
                 the environment",
                self.name
            ))),
            None => Ok(None),
        }
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.settings.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn fixed(&self) -> Option<(&str, &str, &str)> {
        let (id, secret) = (self.get("aws_access_key_id")?, self.get("aws_secret_access_key")?);
        Some((id, secret, self.get("aws_session_token").unwrap_or_default()))
    }

    /// Returns the roles of a profile that names the source of their keys
    /// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-assume-role-credentials.html>).
    pub(super) fn roles(&self, variables: Variables<'_>) -> Result<Option<RoleChain>, StoreError> {
        let Some(first) = self.role()? else { return Ok(None) };
        let mut chain = vec![first];
        let mut source = self.source(variables)?;
        loop {
            let profile = match source {
                Source::Profile(profile) => profile,
                Source::Other(last) => return Ok(Some(RoleChain { roles: chain, last })),
            };
            // A profile that names itself means its own keys.
            let next = profile.role()?.filter(|_| profile.name != self.name);
            let Some(role) = next else {
                let Some((id, secret, token)) = profile.fixed() else {
                    return Err(
                        profile.wrong("source_profile", "it holds neither keys nor a role with a source")
                    );
                };
                let token = Some(token.to_owned()).filter(|token| !token.is_empty());
                let keys = AwsCredential { key_id: id.to_owned(), secret_key: secret.to_owned(), token };
                return Ok(Some(RoleChain { roles: chain, last: KeySource::Keys(keys) }));
            };
            if chain.len() == MAX_ROLES {
                return Err(self.wrong("source_profile", "more than 8 profiles name each other"));
            }
            chain.push(role);
            source = profile.source(variables)?;
        }
    }

    fn role(&self) -> Result<Option<Role>, StoreError> {
        let has_source = self.get("source_profile").is_some() || self.get("credential_source").is_some();
        let Some(arn) = self.get("role_arn").filter(|_| has_source) else { return Ok(None) };
        if self.get("mfa_serial").is_some() {
            return Err(self.wrong("mfa_serial", "there is nobody to type a code"));
        }
        let seconds = self.get("duration_seconds").map(str::to_owned);
        if seconds.as_ref().is_some_and(|seconds| seconds.parse::<u32>().is_err()) {
            return Err(self.wrong("duration_seconds", "it is no number of seconds"));
        }
        Ok(Some(Role {
            arn: arn.to_owned(),
            session_name: self.get("role_session_name").unwrap_or(SESSION_NAME).to_owned(),
            external_id: self.get("external_id").map(str::to_owned),
            seconds,
        }))
    }

    fn source(&self, variables: Variables<'_>) -> Result<Source, StoreError> {
        if let Some(name) = self.get("source_profile") {
            if self.get("credential_source").is_some() {
                return Err(
                    self.wrong("credential_source", "source_profile is there too; one of them is allowed")
                );
            }
            return Ok(Source::Profile(Self::named(variables, name.to_owned())?));
        }
        Ok(Source::Other(match self.get("credential_source") {
            Some("EcsContainer") => KeySource::Container,
            Some("Ec2InstanceMetadata") => KeySource::Machine,
            Some("Environment") => {
                // Where they are set they come before every profile.
                return Err(self
                    .wrong("credential_source", "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set"));
            }
            _ => {
                let allowed = "allowed are Environment, EcsContainer and Ec2InstanceMetadata";
                return Err(self.wrong("credential_source", allowed));
            }
        }))
    }

    fn wrong(&self, key: &str, reason: &str) -> StoreError {
        setup(format!("AWS profile {:?}: {key}: {reason}", self.name))
    }

    pub(super) fn region(&self) -> Option<String> {
        self.get("region").map(str::to_owned)
    }

    pub(super) fn ca_bundle(&self) -> Option<String> {
        self.get("ca_bundle").map(str::to_owned)
    }

    pub(super) fn request_checksum_calculation(&self) -> Option<String> {
        self.get("request_checksum_calculation").map(str::to_owned)
    }

    pub(super) fn endpoint(&self) -> Option<String> {
        self.get("endpoint_url").map(str::to_owned)
    }
}

/// Where a role's keys come from.
enum Source {
    Profile(Profile),
    Other(KeySource),
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
        Profile::load(Variables::new(&|variable: &str| match variable {
            "HOME" => Some(home.clone().into()),
            "AWS_PROFILE" => name.map(Into::into),
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

    fn roles(config: &str) -> Result<Option<RoleChain>, String> {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("config");
        std::fs::write(&file, config).expect("written");
        let environment = |variable: &str| match variable {
            "AWS_CONFIG_FILE" => Some(file.clone().into_os_string()),
            "AWS_PROFILE" => Some("ci".into()),
            _ => None,
        };
        let variables = Variables::new(&environment);
        Profile::load(variables).expect("loaded").roles(variables).map_err(|error| error.to_string())
    }

    const KEYS: &str = "[profile keys]\naws_access_key_id = ID\naws_secret_access_key = KEY\n";

    #[test]
    fn roles_follow_their_sources_to_keys() {
        let outer = "[profile ci]\nrole_arn = outer\nsource_profile = inner\nexternal_id = x\n";
        let inner = "[profile inner]\nrole_arn = inner\nrole_session_name = me\nduration_seconds = 900\n";
        let found =
            roles(&format!("{outer}{inner}source_profile = keys\n{KEYS}")).expect("usable").expect("roles");
        let arns: Vec<_> =
            found.roles.iter().map(|role| (role.arn.as_str(), role.session_name.as_str())).collect();
        assert_eq!(arns, [("outer", SESSION_NAME), ("inner", "me")]);
        assert_eq!(found.roles[0].external_id.as_deref(), Some("x"));
        assert_eq!(found.roles[1].seconds.as_deref(), Some("900"));
        let keys = AwsCredential { key_id: "ID".to_owned(), secret_key: "KEY".to_owned(), token: None };
        assert_eq!(found.last, KeySource::Keys(keys));
        let own = KEYS.replace("profile keys", "profile ci") + "role_arn = r\nsource_profile = ci\n";
        assert_eq!(roles(&own).expect("usable").expect("roles").roles.len(), 1, "its own keys");
        assert_eq!(roles(&KEYS.replace("profile keys", "profile ci")), Ok(None));
        let machine = "[profile ci]\nrole_arn = r\ncredential_source = Ec2InstanceMetadata\n";
        assert_eq!(roles(machine).expect("usable").expect("roles").last, KeySource::Machine);
    }

    #[test]
    fn roles_that_cannot_be_assumed_say_why() {
        let role = "[profile ci]\nrole_arn = r\n";
        for (more, reason) in [
            ("source_profile = none\n", "neither keys nor a role"),
            ("source_profile = keys\nmfa_serial = m\n", "mfa_serial"),
            ("source_profile = keys\nduration_seconds = 1h\n", "duration_seconds"),
            ("source_profile = keys\ncredential_source = Environment\n", "one of them is allowed"),
            ("credential_source = Environment\n", "AWS_ACCESS_KEY_ID"),
            ("credential_source = Lambda\n", "Ec2InstanceMetadata"),
            (
                "source_profile = b\n[profile b]\nrole_arn = b\nsource_profile = c\n[profile c]\nrole_arn = c\n\
              source_profile = b\n",
                "name each other",
            ),
        ] {
            let error = roles(&format!("{role}{more}{KEYS}")).expect_err(more);
            assert!(error.contains(reason) && error.contains("AWS profile"), "{error}");
        }
        assert_eq!(roles(role), Ok(None), "refused where keys are looked for");
    }

    #[test]
    fn a_setting_that_no_request_can_hold_is_refused_without_its_value() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("config");
        let environment =
            |variable: &str| (variable == "AWS_CONFIG_FILE").then(|| file.clone().into_os_string());
        for (key, _) in SETTINGS {
            std::fs::write(&file, format!("[default]\n{key} = hunter\u{1}2\n")).expect("written");
            let error = Profile::load(Variables::new(&environment)).map(drop).expect_err("refused");
            assert!(matches!(error, StoreError::Setting(_)), "{key}");
            let error = error.to_string();
            assert!(error.contains(key) && !error.contains("hunter"), "{error}");
        }
    }

    #[test]
    fn absent_files_give_nothing() {
        let profile = Profile::load(Variables::new(&|_: &str| None)).expect("loaded");
        assert_eq!(profile.keys().expect("usable"), None);
        assert_eq!(profile.endpoint(), None);
    }
}
