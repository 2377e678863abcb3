//! Opens Azure Blob Storage.
//!
//! Everything but the container comes from the environment, by the names that
//! Azure's own tools and its workload identity webhook use.

use super::http::{Connector, client_options, no_retries};
use super::variables::Variables;
use super::{StoreError, setup};
use object_store::azure::{AzureConfigKey, MicrosoftAzure, MicrosoftAzureBuilder};
use std::collections::BTreeMap;
use zeroize::Zeroize;

/// The address and the account of Azurite and the older emulator
/// (<https://learn.microsoft.com/en-us/azure/storage/common/storage-use-azurite>).
const DEVELOPMENT: &str = "AccountName=devstoreaccount1;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1";

/// The variables of each setting; the first that is set counts.
const VARIABLES: &[(AzureConfigKey, &[&str])] = &[
    (AzureConfigKey::AccountName, &["AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_ACCOUNT_NAME"]),
    (
        AzureConfigKey::AccessKey,
        &["AZURE_STORAGE_KEY", "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ACCESS_KEY"],
    ),
    (AzureConfigKey::SasKey, &["AZURE_STORAGE_SAS_TOKEN"]),
    (AzureConfigKey::Endpoint, &["AZURE_STORAGE_ENDPOINT", "AZURE_STORAGE_SERVICE_ENDPOINT"]),
    (AzureConfigKey::ClientId, &["AZURE_CLIENT_ID"]),
    (AzureConfigKey::ClientSecret, &["AZURE_CLIENT_SECRET"]),
    (AzureConfigKey::AuthorityId, &["AZURE_TENANT_ID"]),
    (AzureConfigKey::AuthorityHost, &["AZURE_AUTHORITY_HOST"]),
    (AzureConfigKey::FederatedTokenFile, &["AZURE_FEDERATED_TOKEN_FILE"]),
    (AzureConfigKey::MsiEndpoint, &["IDENTITY_ENDPOINT", "MSI_ENDPOINT"]),
];

/// Opens a container; nothing is contacted yet.
pub(super) fn open(container: &str) -> Result<MicrosoftAzure, StoreError> {
    builder(container, |name| std::env::var(name).ok())?
        .build()
        .map_err(|error| setup(format!("az://{container}: {error}")))
}

/// Reads every setting without opening the container.
pub(super) fn check_settings(container: &str) -> Result<(), StoreError> {
    builder(container, |name| std::env::var(name).ok()).map(drop)
}

fn builder(
    container: &str,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<MicrosoftAzureBuilder, StoreError> {
    let variables = Variables::new(environment);
    let mut settings = BTreeMap::new();
    for (key, names) in VARIABLES {
        if let Some(value) = variables.first(names)? {
            settings.insert(name_of(*key), (*key, value));
        }
    }
    if let Some(mut text) = variables.get("AZURE_STORAGE_CONNECTION_STRING")? {
        let parsed = connection_string(&text);
        text.zeroize();
        for (key, value) in parsed? {
            settings.insert(name_of(key), (key, value));
        }
    }
    if !settings.contains_key(name_of(AzureConfigKey::AccountName)) {
        return Err(setup(format!(
            "az://{container}: the storage account is missing; set AZURE_STORAGE_ACCOUNT or \
             AZURE_STORAGE_CONNECTION_STRING"
        )));
    }
    let endpoint = settings.get(name_of(AzureConfigKey::Endpoint)).map(|(_, url)| url.as_str());
    let authority = settings.get(name_of(AzureConfigKey::AuthorityHost)).map(|(_, url)| url.as_str());
    // Plain HTTP is allowed only where one of these addresses asks for it.
    let plain = [endpoint, authority].into_iter().flatten().any(|url| url.starts_with("http://"));
    let secrets = [AzureConfigKey::AccessKey, AzureConfigKey::SasKey, AzureConfigKey::ClientSecret];
    let secrets = secrets.iter().filter_map(|key| Some(settings.get(name_of(*key))?.1.clone()));
    let builder = MicrosoftAzureBuilder::new()
        .with_container_name(container)
        .with_http_connector(Connector::default().with_credentials(secrets))
        .with_retry(no_retries())
        .with_client_options(client_options().with_allow_http(plain));
    Ok(settings.into_values().fold(builder, |builder, (key, value)| builder.with_config(key, value)))
}

/// Names a key, which has no order of its own.
fn name_of(key: AzureConfigKey) -> &'static str {
    VARIABLES.iter().find(|(known, _)| *known == key).map_or("", |(_, names)| names[0])
}

/// Reads `AccountName=…;AccountKey=…;…`
/// (<https://learn.microsoft.com/en-us/azure/storage/common/storage-configure-connection-string>).
fn connection_string(text: &str) -> Result<Vec<(AzureConfigKey, String)>, StoreError> {
    let fail = |reason: &str| setup(format!("AZURE_STORAGE_CONNECTION_STRING: {reason}"));
    let mut parts = BTreeMap::new();
    for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, value) = part
            .split_once('=')
            .ok_or_else(|| fail("it is not a list of NAME=VALUE, divided by semicolons"))?;
        parts.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
    }
    if parts.get("usedevelopmentstorage").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return connection_string(DEVELOPMENT);
    }
    let account = parts.get("accountname").cloned();
    let endpoint = parts.get("blobendpoint").cloned().or_else(|| {
        let suffix = parts.get("endpointsuffix")?;
        let protocol = parts.get("defaultendpointsprotocol").map_or("https", String::as_str);
        Some(format!("{protocol}://{}.blob.{suffix}", account.as_ref()?))
    });
    // Of an endpoint alone, which goes with a signature, the account is the first label.
    let account = account.or_else(|| {
        let (_, host) = endpoint.as_ref()?.split_once("://")?;
        host.split(['.', '/', ':']).next().map(str::to_owned)
    });
    let settings = [
        (AzureConfigKey::AccountName, account),
        (AzureConfigKey::AccessKey, parts.get("accountkey").cloned()),
        (AzureConfigKey::SasKey, parts.get("sharedaccesssignature").cloned()),
        (AzureConfigKey::Endpoint, endpoint),
    ];
    Ok(settings.into_iter().filter_map(|(key, value)| Some((key, value?))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "a2V5";

    fn built(variables: &[(&str, &str)]) -> Result<MicrosoftAzureBuilder, StoreError> {
        builder("container", |name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn value(variables: &[(&str, &str)], key: AzureConfigKey) -> Option<String> {
        built(variables).expect("built").get_config_value(&key)
    }

    #[test]
    fn the_environment_says_account_key_and_address() {
        let variables = [
            ("AZURE_STORAGE_ACCOUNT", "ci"),
            ("AZURE_STORAGE_KEY", KEY),
            ("AZURE_STORAGE_ENDPOINT", "http://10.0.0.1:10000/ci"),
        ];
        assert_eq!(value(&variables, AzureConfigKey::AccountName).as_deref(), Some("ci"));
        assert_eq!(value(&variables, AzureConfigKey::AccessKey).as_deref(), Some(KEY));
        let allow_http = AzureConfigKey::Client(object_store::ClientConfigKey::AllowHttp);
        assert_eq!(value(&variables, allow_http).as_deref(), Some("true"));
        assert_eq!(value(&variables[..2], allow_http).as_deref(), Some("false"));
    }

    #[test]
    fn a_connection_string_says_it_all() {
        let text = format!(
            "DefaultEndpointsProtocol=https;AccountName=ci;AccountKey={KEY};EndpointSuffix=core.usgovcloudapi.net"
        );
        let variables = [("AZURE_STORAGE_CONNECTION_STRING", text.as_str())];
        assert_eq!(value(&variables, AzureConfigKey::AccessKey).as_deref(), Some(KEY));
        let endpoint = value(&variables, AzureConfigKey::Endpoint);
        assert_eq!(endpoint.as_deref(), Some("https://ci.blob.core.usgovcloudapi.net"));
        let sas = "BlobEndpoint=https://ci.blob.core.windows.net/;SharedAccessSignature=sv=2021&sig=x%3D";
        let variables = [("AZURE_STORAGE_CONNECTION_STRING", sas)];
        assert_eq!(value(&variables, AzureConfigKey::AccountName).as_deref(), Some("ci"));
        assert_eq!(value(&variables, AzureConfigKey::SasKey).as_deref(), Some("sv=2021&sig=x%3D"));
        let variables = [("AZURE_STORAGE_CONNECTION_STRING", "UseDevelopmentStorage=true")];
        assert_eq!(value(&variables, AzureConfigKey::AccountName).as_deref(), Some("devstoreaccount1"));
    }

    #[test]
    fn what_is_wrong_is_said_without_the_key() {
        let error = built(&[]).expect_err("no account").to_string();
        assert!(error.contains("AZURE_STORAGE_ACCOUNT"), "{error}");
        let variables = [("AZURE_STORAGE_CONNECTION_STRING", "hunter2")];
        let error = built(&variables).expect_err("no pairs").to_string();
        assert!(error.contains("NAME=VALUE") && !error.contains("hunter2"), "{error}");
    }
}
