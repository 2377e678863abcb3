//! `podutils webhook certificate`: makes the webhook's certificate, keeps it in a Secret and
//! tells the API server whom to trust. It runs as a Job when the webhook is installed, and as a
//! `CronJob` afterwards.
//!
//! | the Secret | what is done |
//! | --- | --- |
//! | is missing, unreadable, for other hosts, or ends soon | issue; trust the new CA beside the old one; then store |
//! | is good | trust its CAs, if the API server does not |
//!
//! The new CA is trusted before any replica serves with it, and the one before it as long as
//! the next one has not come, so that no request is refused on the way.

mod api_server;
pub(super) mod issue;

use super::tls::Pair;
use crate::terminal::Problem;
use anyhow::{Result, bail};
use api_server::ApiServer;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use common::duration::GoDuration;
use common::records::tracing::info;
use common::timestamp::Timestamp;
use issue::{Issued, issue};
use reqwest::{Method, StatusCode};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};
use std::path::PathBuf;

/// A year and 90 days of it: a weekly look has many chances.
const DEFAULT_VALIDITY: &str = "8760h";
const DEFAULT_RENEW_BEFORE: &str = "2160h";

/// The clocks of the cluster's machines may differ by this much.
const CLOCK_SKEW_SECONDS: i64 = 600;

/// The Secret was changed by somebody else in between: looked at again this often.
const MAX_CONFLICTS: u32 = 5;

/// The annotation with the hosts that a certificate is for.
const HOSTS: &str = "pod-utils.dev/hosts";

const JSON: &str = "application/json";
const STRATEGIC_MERGE: &str = "application/strategic-merge-patch+json";

/// The subcommand's definition.
pub(super) fn command() -> Command {
    let text = |id: &'static str, value: &'static str, help: &'static str| {
        Arg::new(id).long(id).value_name(value).required(true).help(help)
    };
    let time = |id: &'static str, default: &'static str, help: &'static str| {
        Arg::new(id)
            .long(id)
            .value_name("TIME")
            .value_parser(crate::run::duration)
            .default_value(default)
            .help(help)
    };
    Command::new("certificate")
        .about("Makes the webhook's certificate in a Secret, and tells the API server to trust it")
        .arg(text("namespace", "NAME", "Namespace of Service and Secret"))
        .arg(text("service", "NAME", "The webhook's Service, which the certificate is for"))
        .arg(text("secret", "NAME", "Secret with tls.crt, tls.key and ca.crt"))
        .arg(text("configuration", "NAME", "MutatingWebhookConfiguration whose webhooks get the caBundle"))
        .arg(
            Arg::new("host")
                .long("host")
                .value_name("HOST")
                .action(ArgAction::Append)
                .help("Another host name or address that the certificate is for (repeatable)"),
        )
        .arg(time("validity", DEFAULT_VALIDITY, "How long a certificate is good"))
        .arg(time("renew-before", DEFAULT_RENEW_BEFORE, "Make another one when less than this is left"))
        .arg(
            Arg::new("service-account-dir")
                .long("service-account-dir")
                .value_name("DIRECTORY")
                .value_parser(value_parser!(PathBuf))
                .default_value("/var/run/secrets/kubernetes.io/serviceaccount")
                .help("Where token and ca.crt are"),
        )
}

/// Makes the certificate if it is due.
pub(super) fn run(matches: &ArgMatches) -> Result<u8, Problem> {
    let text = |id: &str| matches.get_one::<String>(id).cloned().unwrap_or_default();
    let nanos = |id: &str| matches.get_one::<GoDuration>(id).map_or(0, |time| time.as_nanos());
    let (namespace, service) = (text("namespace"), text("service"));
    for (flag, name) in [("namespace", &namespace), ("service", &service), ("secret", &text("secret"))] {
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c)) {
            return Err(Problem::new(format!("--{flag} {name:?}: allowed is the name of an object")));
        }
    }
    let (validity, renew_before) = (nanos("validity") / 1_000_000_000, nanos("renew-before") / 1_000_000_000);
    if renew_before >= validity {
        return Err(Problem::new("--renew-before: allowed is less than --validity"));
    }
    let mut hosts = vec![
        format!("{service}.{namespace}.svc"),
        format!("{service}.{namespace}"),
        format!("{service}.{namespace}.svc.cluster.local"),
    ];
    hosts.extend(matches.get_many::<String>("host").unwrap_or_default().cloned());
    let directory = matches.get_one::<PathBuf>("service-account-dir").cloned().unwrap_or_default();
    let work = Work {
        api: ApiServer::in_cluster(&directory)?,
        secrets: format!("/api/v1/namespaces/{namespace}/secrets"),
        secret: text("secret"),
        configuration: text("configuration"),
        hosts,
        validity,
        renew_before,
    };
    crate::results::block_on(async { work.renew().await.map_err(Problem::from) }).map(|()| 0)
}

struct Work {
    api: ApiServer,
    secrets: String,
    secret: String,
    configuration: String,
    hosts: Vec<String>,
    /// Seconds.
    validity: i64,
    renew_before: i64,
}

impl Work {
    async fn renew(&self) -> Result<()> {
        for _ in 0..MAX_CONFLICTS {
            let stored = self.stored().await?;
            let data = |key: &str| stored.as_ref().and_then(|secret| decoded(&secret["data"][key]));
            let ca = data("ca.crt").unwrap_or_default();
            let now = Timestamp::now().as_secs();
            match self.good_until(stored.as_ref(), now) {
                Ok(until) => {
                    self.trust(&certificates(&ca)).await?;
                    info!(seconds = until - now, "The certificate is good");
                    return Ok(());
                }
                Err(why) => info!(reason = why, "A certificate is made"),
            }
            let issued = issue(&self.hosts, now - CLOCK_SKEW_SECONDS, now + self.validity)?;
            let mut trusted = certificates(issued.ca.as_bytes());
            trusted.extend(certificates(&ca).into_iter().take(1));
            self.trust(&trusted).await?;
            if self.store(stored.as_ref(), &issued, &trusted).await? {
                info!("The certificate is stored");
                return Ok(());
            }
        }
        bail!("the Secret {} was changed by somebody else again and again", self.secret);
    }

    async fn stored(&self) -> Result<Option<Value>> {
        let answer = self.api.send(Method::GET, &format!("{}/{}", self.secrets, self.secret), None).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        answer.success(&format!("the Secret {}", self.secret)).map(Some)
    }

    /// Returns when the stored certificate ends, in seconds since 1970, or why it is not to be kept.
    fn good_until(&self, secret: Option<&Value>, now: i64) -> Result<i64, &'static str> {
        let secret = secret.ok_or("there is none")?;
        let data = |key: &str| decoded(&secret["data"][key]);
        let (Some(certificate), Some(key), Some(ca)) = (data("tls.crt"), data("tls.key"), data("ca.crt"))
        else {
            return Err("the Secret holds none");
        };
        let pair = Pair::parse(&certificate, &key).map_err(|_| "the stored one cannot be read")?;
        if certificates(&ca).is_empty() {
            return Err("its CA is not there");
        }
        if secret["metadata"]["annotations"][HOSTS] != self.hosts.join(",") {
            return Err("the stored one is for other hosts");
        }
        if pair.validity.not_after - now < self.renew_before {
            return Err("the stored one ends soon");
        }
        Ok(pair.validity.not_after)
    }

    /// Makes the API server trust these CAs, and no others.
    async fn trust(&self, certificates: &[String]) -> Result<()> {
        let path = format!(
            "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/{}",
            self.configuration
        );
        let what = format!("the MutatingWebhookConfiguration {}", self.configuration);
        let configuration = self.api.send(Method::GET, &path, None).await?.success(&what)?;
        let bundle = STANDARD.encode(certificates.concat());
        let webhooks = configuration["webhooks"].as_array().map(Vec::as_slice).unwrap_or_default();
        if webhooks.iter().all(|webhook| webhook["clientConfig"]["caBundle"] == bundle) {
            return Ok(());
        }
        let webhooks: Vec<_> = webhooks
            .iter()
            .map(|webhook| json!({"name": webhook["name"], "clientConfig": {"caBundle": bundle}}))
            .collect();
        let change = json!({ "webhooks": webhooks });
        self.api.send(Method::PATCH, &path, Some((STRATEGIC_MERGE, &change))).await?.success(&what)?;
        info!(certificates = certificates.len(), "The API server trusts the CA");
        Ok(())
    }

    /// Stores the certificate; false when somebody else was faster.
    async fn store(&self, before: Option<&Value>, issued: &Issued, trusted: &[String]) -> Result<bool> {
        let mut secret = before.cloned().unwrap_or_else(|| {
            json!({
                "apiVersion": "v1",
                "kind": "Secret",
                "type": "kubernetes.io/tls",
                "metadata": {"name": self.secret},
            })
        });
        secret["metadata"]["annotations"][HOSTS] = self.hosts.join(",").into();
        for (key, text) in [
            ("tls.crt", issued.certificate.as_str()),
            ("tls.key", issued.key.as_str()),
            ("ca.crt", trusted.concat().as_str()),
        ] {
            secret["data"][key] = STANDARD.encode(text).into();
        }
        let (method, path) = match before {
            // Its resourceVersion is the one that was read.
            Some(_) => (Method::PUT, format!("{}/{}", self.secrets, self.secret)),
            None => (Method::POST, self.secrets.clone()),
        };
        let answer = self.api.send(method, &path, Some((JSON, &secret))).await?;
        if answer.status == StatusCode::CONFLICT {
            return Ok(false);
        }
        answer.success(&format!("the Secret {}", self.secret)).map(|_| true)
    }
}

fn decoded(value: &Value) -> Option<Vec<u8>> {
    STANDARD.decode(value.as_str()?).ok()
}

/// Splits a bundle into its certificates, each as PEM; what cannot be read is left out.
fn certificates(pem: &[u8]) -> Vec<String> {
    let certificates = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok);
    let encoded = certificates.map(|der| {
        let text = STANDARD.encode(&der);
        let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
    });
    encoded.collect()
}

#[cfg(test)]
mod tests;
