//! Registry credentials: `.dockercfg` and `.dockerconfigjson` (C-13).

use super::SecretBytes;
use super::ini::Malformed;
use serde::Deserialize;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

type Values = Result<Vec<SecretBytes>, Malformed>;

#[derive(Deserialize)]
struct Login {
    auth: Option<String>,
    password: Option<String>,
}

#[derive(Deserialize)]
struct Config {
    auths: Option<BTreeMap<String, Login>>,
}

/// Returns the values of a `.dockercfg`.
pub(super) fn credentials(content: &[u8]) -> Values {
    serde_json::from_slice(content).map(|logins| values(Some(logins))).map_err(|_| malformed())
}

/// Returns the values of a `.dockerconfigjson`.
pub(super) fn config_credentials(content: &[u8]) -> Values {
    serde_json::from_slice::<Config>(content).map(|config| values(config.auths)).map_err(|_| malformed())
}

fn values(logins: Option<BTreeMap<String, Login>>) -> Vec<SecretBytes> {
    let logins = logins.unwrap_or_default().into_values();
    let values = logins.flat_map(|login| [login.auth, login.password]).flatten();
    values.filter(|value| !value.is_empty()).map(|value| Zeroizing::new(value.into_bytes())).collect()
}

/// Describes the problem; the parser's own message would quote the file.
fn malformed() -> Malformed {
    Malformed { values: Vec::new(), reason: "it does not hold registry credentials in JSON".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v_cd_1_every_password_and_auth() {
        let text = r#"{"registry":{"password":"a","auth":"b"},"other":{"password":"c","auth":"d"},
                       "third":{"auth":"e"},"fourth":{"password":"f","email":"g","auth":""}}"#;
        let sorted = |values: Values| {
            let mut values: Vec<_> = values.unwrap_or_default().iter().map(|value| value.to_vec()).collect();
            values.sort();
            values.concat()
        };
        assert_eq!(sorted(credentials(text.as_bytes())), b"abcdef");
        let config = format!(r#"{{"auths":{text},"credsStore":"x"}}"#);
        assert_eq!(sorted(config_credentials(config.as_bytes())), b"abcdef");
    }

    #[test]
    fn v_cd_2_and_3_malformed_files_are_errors() {
        assert!(credentials(b"notreallyjson").is_err());
        assert!(config_credentials(b"notreallyjson").is_err());
    }
}
