//! Opens Azure Blob Storage.
//!
//! Everything but the container comes from the environment, by the names that
//! Azure's own tools and its workload identity webhook use.

use super::azure_tokens::{Application, ManagedIdentity, Proof, TOKEN_FILE};
use super::http::{Connector, client_options, no_retries};
use super::setting::{Kind, checked};
use super::tokens::{Kept, check_token_file};
use super::variables::Variables;
use super::{StoreError, setup};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use object_store::azure::{
    AzureConfigKey, AzureCredentialProvider, MicrosoftAzure, MicrosoftAzureBuilder, split_sas,
};
use object_store::client::HttpConnector;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroize;

/// The address and the account of Azurite and the older emulator
/// (<https://learn.microsoft.com/en-us/azure/storage/common/storage-use-azurite>).
const DEVELOPMENT: &str = "AccountName=devstoreaccount1;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1";

/// The variable with several settings in one.
const CONNECTION_STRING: &str = "AZURE_STORAGE_CONNECTION_STRING";

/// The variables of each setting; the first that is set counts.
const VARIABLES: &[(AzureConfigKey, &[&str])] = &[
    (AzureConfigKey::AccountName, &["AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_ACCOUNT_NAME"]),
    (
        AzureConfigKey::AccessKey,
        &["AZURE_STORAGE_KEY", "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ACCESS_KEY"],
    ),
    (AzureConfigKey::SasKey, &["AZURE_STORAGE_SAS_TOKEN"]),
    (AzureConfigKey::Endpoint, &["AZURE_STORAGE_ENDPOINT", "AZURE_STORAGE_SERVICE_ENDPOINT"]),
];

/// The address of a machine's identity
/// (<https://learn.microsoft.com/en-us/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>).
const MACHINE: &str = "http://169.254.169.254/metadata/identity/oauth2/token";

/// The address of Entra in the public cloud.
const PUBLIC: &str = "https://login.microsoftonline.com";

/// The time for which the service of a managed identity, which may be absent, is waited for.
const MACHINE_TIMEOUT: Duration = Duration::from_secs(1);

/// Opens a container; nothing is contacted yet.
pub(super) fn open(container: &str) -> Result<MicrosoftAzure, StoreError> {
    let Opening { builder, connector, identity } = opening(container, Variables::of_process())?;
    let fail = |error: object_store::Error| setup(format!("az://{container}: {error}"));
    let builder = match identity {
        Some(identity) => builder.with_credentials(identity.provider(&connector).map_err(fail)?),
        None => builder,
    };
    builder.build().map_err(fail)
}

/// Reads every setting without opening the container.
pub(super) fn check_settings(container: &str) -> Result<(), StoreError> {
    opening(container, Variables::of_process()).map(drop)
}

/// The settings of a container.
#[derive(Debug)]
struct Opening {
    builder: MicrosoftAzureBuilder,
    connector: Connector,
    /// Where tokens come from, unless there is a key or a signature.
    identity: Option<Identity>,
}

/// Somebody to whom tokens are given.
enum Identity {
    Application { url: String, id: String, proof: Proof },
    Managed { url: String, id: Option<String>, secret: Option<String> },
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Application { url, .. } | Self::Managed { url, .. }) = self;
        f.debug_struct("Identity").field("url", url).finish_non_exhaustive()
    }
}

impl Identity {
    fn provider(self, connector: &Connector) -> object_store::Result<AzureCredentialProvider> {
        Ok(Arc::new(match self {
            Self::Application { url, id, proof } => {
                let options = client_options().with_allow_http(url.starts_with("http://"));
                Kept::new(Application { client: connector.connect(&options)?, url, id, proof })
            }
            Self::Managed { url, id, secret } => {
                let options = client_options().with_allow_http(true).with_connect_timeout(MACHINE_TIMEOUT);
                Kept::new(ManagedIdentity { client: connector.connect(&options)?, url, id, secret })
            }
        }))
    }
}

fn opening(container: &str, variables: Variables<'_>) -> Result<Opening, StoreError> {
    let mut settings = BTreeMap::new();
    for (key, names) in VARIABLES {
        if let Some(value) = variables.first(names)? {
            settings.insert(name_of(*key), (*key, value));
        }
    }
    if let Some(mut text) = variables.get(CONNECTION_STRING)? {
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
    let value = |key| settings.get(name_of(key)).map(|(_, value): &(AzureConfigKey, String)| value.as_str());
    check_keys(value(AzureConfigKey::AccessKey), value(AzureConfigKey::SasKey))?;
    let identity = identity(variables)?;
    let has_key = value(AzureConfigKey::AccessKey).is_some();
    let has_signature = value(AzureConfigKey::SasKey).is_some();
    // In the order of the object store library.
    let identity = match identity {
        _ if has_key => None,
        Identity::Managed { .. } if has_signature => None,
        identity @ (Identity::Application { .. } | Identity::Managed { .. }) => Some(identity),
    };
    // Plain HTTP is allowed only where the address asks for it.
    let is_plain = value(AzureConfigKey::Endpoint).is_some_and(|url| url.starts_with("http://"));
    let secrets = [value(AzureConfigKey::AccessKey), value(AzureConfigKey::SasKey)];
    let secrets: Vec<_> = secrets.into_iter().flatten().map(str::to_owned).collect();
    let of_application = match &identity {
        Some(Identity::Application { proof: Proof::Secret(secret), .. }) => Some(secret.clone()),
        Some(Identity::Application { .. } | Identity::Managed { .. }) | None => None,
    };
    let connector = Connector::new(variables)?.with_credentials(secrets.into_iter().chain(of_application));
    let builder = MicrosoftAzureBuilder::new()
        .with_container_name(container)
        .with_http_connector(connector.clone())
        .with_retry(no_retries())
        .with_client_options(client_options().with_allow_http(is_plain));
    let builder =
        settings.into_values().fold(builder, |builder, (key, value)| builder.with_config(key, value));
    Ok(Opening { builder, connector, identity })
}

/// Finds the first identity of an environment; at last that of the machine.
fn identity(variables: Variables<'_>) -> Result<Identity, StoreError> {
    let id = variables.get("AZURE_CLIENT_ID")?;
    let secret = variables.get("AZURE_CLIENT_SECRET")?;
    let tenant = variables.get("AZURE_TENANT_ID")?;
    let authority = variables.get("AZURE_AUTHORITY_HOST")?.unwrap_or_else(|| PUBLIC.to_owned());
    let file = variables.get(TOKEN_FILE)?;
    let proof = file.map(Proof::File).or(secret.map(Proof::Secret));
    if let (Some(id), Some(tenant), Some(proof)) = (&id, tenant, proof) {
        if let Proof::File(path) = &proof {
            check_token_file(TOKEN_FILE, path)?;
        }
        let url = format!("{authority}/{tenant}/oauth2/v2.0/token");
        return Ok(Identity::Application { url, id: id.clone(), proof });
    }
    let url = variables.first(&["IDENTITY_ENDPOINT", "MSI_ENDPOINT"])?;
    let secret = variables.get("IDENTITY_HEADER")?;
    Ok(Identity::Managed { url: url.unwrap_or_else(|| MACHINE.to_owned()), id, secret })
}

/// Refuses a key or a signature that the library could not read.
fn check_keys(key: Option<&str>, signature: Option<&str>) -> Result<(), StoreError> {
    let source = |key| format!("{} or {CONNECTION_STRING}", name_of(key));
    if key.is_some_and(|key| BASE64_STANDARD.decode(key).is_err()) {
        let source = source(AzureConfigKey::AccessKey);
        return Err(StoreError::Setting(format!("{source}: the key is not base64")));
    }
    if signature.is_some_and(|signature| split_sas(signature).is_err()) {
        let source = source(AzureConfigKey::SasKey);
        return Err(StoreError::Setting(format!("{source}: the signature is not a list of NAME=VALUE")));
    }
    Ok(())
}

/// Names a key, which has no order of its own.
fn name_of(key: AzureConfigKey) -> &'static str {
    VARIABLES.iter().find(|(known, _)| *known == key).map_or("", |(_, names)| names[0])
}

/// Reads `AccountName=…;AccountKey=…;…`
/// (<https://learn.microsoft.com/en-us/azure/storage/common/storage-configure-connection-string>).
fn connection_string(text: &str) -> Result<Vec<(AzureConfigKey, String)>, StoreError> {
    let fail = |reason: &str| StoreError::Setting(format!("{CONNECTION_STRING}: {reason}"));
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
        (AzureConfigKey::AccountName, "AccountName", Kind::Label, account),
        (AzureConfigKey::AccessKey, "AccountKey", Kind::Text, parts.get("accountkey").cloned()),
        (
            AzureConfigKey::SasKey,
            "SharedAccessSignature",
            Kind::Text,
            parts.get("sharedaccesssignature").cloned(),
        ),
        (AzureConfigKey::Endpoint, "BlobEndpoint", Kind::Base("https"), endpoint),
    ];
    let mut clean = Vec::new();
    for (key, name, kind, value) in settings {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            clean.push((key, checked(&format!("{CONNECTION_STRING}: {name}"), kind, &value)?));
        }
    }
    Ok(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "a2V5";

    fn opened(variables: &[(&str, &str)]) -> Result<Opening, StoreError> {
        opening(
            "container",
            Variables::new(&|name: &str| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into())
            }),
        )
    }

    fn value(variables: &[(&str, &str)], key: AzureConfigKey) -> Option<String> {
        opened(variables).expect("opened").builder.get_config_value(&key)
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
        let error = opened(&[]).expect_err("no account").to_string();
        assert!(error.contains("AZURE_STORAGE_ACCOUNT"), "{error}");
        let variables = [("AZURE_STORAGE_CONNECTION_STRING", "hunter2")];
        let error = opened(&variables).expect_err("no pairs").to_string();
        assert!(error.contains("NAME=VALUE") && !error.contains("hunter2"), "{error}");
    }
}
