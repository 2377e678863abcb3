//! The variables of OpenTelemetry that sidecar reads. Those with `TRACES_` in their name
//! win over the general ones; an empty one counts as unset.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Url};
use std::time::Duration;

/// The name of the service when nothing else is said.
const SERVICE: &str = "pod-utils";

/// Values of the variables.
#[derive(Debug)]
pub struct Environment {
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) timeout: Duration,
    pub(super) roots: Option<Vec<Certificate>>,
    pub(super) encoding: Encoding,
    /// The attributes of the resource.
    pub(super) resource: Vec<(String, String)>,
}

/// Encodings of OTLP over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Protobuf,
    Json,
}

impl Environment {
    /// Reads the variables; `None` when none names a collector. The error is for people.
    pub fn new(get: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, String> {
        let get =
            |name: &str| get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let exporter = |name: &str| {
            let own = format!("OTEL_EXPORTER_OTLP_TRACES_{name}");
            get(&own).map(|value| (own, value)).or_else(|| {
                let general = format!("OTEL_EXPORTER_OTLP_{name}");
                get(&general).map(|value| (general, value))
            })
        };
        let Some((name, endpoint)) = exporter("ENDPOINT") else { return Ok(None) };
        let is_off = get("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"))
            || get("OTEL_TRACES_EXPORTER").is_some_and(|value| value == "none");
        if is_off {
            return Ok(None);
        }
        let url = url(&name, &endpoint)?;
        let encoding =
            exporter("PROTOCOL").map_or(Ok(Encoding::Protobuf), |(name, value)| encoding(&name, &value))?;
        let roots = exporter("CERTIFICATE").map(|(name, file)| roots(&name, &file)).transpose()?;
        let headers = exporter("HEADERS").map(|(name, value)| headers(&name, &value)).transpose()?;
        let timeout = exporter("TIMEOUT").map(|(name, value)| milliseconds(&name, &value)).transpose()?;
        Ok(Some(Self {
            url,
            headers: headers.unwrap_or_default(),
            timeout: timeout.unwrap_or(Duration::MAX),
            roots,
            encoding,
            resource: resource(get)?,
        }))
    }
}

/// The general endpoint is what the path of traces is added to.
fn url(name: &str, endpoint: &str) -> Result<Url, String> {
    // The value may contain a password.
    let fail = || format!("{name} is no URL; allowed is http://HOST:PORT or https://HOST:PORT");
    let mut url = Url::parse(endpoint).map_err(|_| fail())?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(fail());
    }
    if !name.contains("TRACES_") {
        url.path_segments_mut().map_err(|()| fail())?.pop_if_empty().extend(["v1", "traces"]);
    }
    Ok(url)
}

fn encoding(name: &str, value: &str) -> Result<Encoding, String> {
    match value {
        "http/protobuf" => Ok(Encoding::Protobuf),
        "http/json" => Ok(Encoding::Json),
        _ => Err(format!("{name} is {value:?}; allowed is http/protobuf or http/json, gRPC is not spoken")),
    }
}

fn roots(name: &str, file: &str) -> Result<Vec<Certificate>, String> {
    let text = std::fs::read(file).map_err(|error| format!("{name} {file:?}: {error}"))?;
    let roots = Certificate::from_pem_bundle(&text).ok().filter(|roots| !roots.is_empty());
    roots.ok_or_else(|| format!("{name} {file:?}: it holds no certificates in PEM"))
}

/// The values are credentials: neither an error nor `Debug` shows them.
fn headers(name: &str, value: &str) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (key, value) in pairs(name, value)? {
        let fail = || format!("{name} has a pair that is no header; allowed is NAME=VALUE,…");
        let key = HeaderName::from_bytes(key.as_bytes()).map_err(|_| fail())?;
        let mut value = HeaderValue::from_str(&value).map_err(|_| fail())?;
        value.set_sensitive(true);
        headers.insert(key, value);
    }
    Ok(headers)
}

fn milliseconds(name: &str, value: &str) -> Result<Duration, String> {
    let parsed = value.parse().ok().filter(|time| *time > 0).map(Duration::from_millis);
    parsed.ok_or_else(|| format!("{name} is {value:?}; allowed is a number of milliseconds above zero"))
}

/// The service's name is an attribute like the others, but has a variable of its own.
fn resource(get: impl Fn(&str) -> Option<String>) -> Result<Vec<(String, String)>, String> {
    const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";
    let mut resource = get(ATTRIBUTES).map_or(Ok(Vec::new()), |value| pairs(ATTRIBUTES, &value))?;
    let mut set =
        |key: &str, value: String, wins: bool| match resource.iter_mut().find(|(known, _)| known == key) {
            Some((_, known)) if wins => *known = value,
            Some(_) => {}
            None => resource.push((key.to_owned(), value)),
        };
    match get("OTEL_SERVICE_NAME") {
        Some(name) => set("service.name", name, true),
        None => set("service.name", SERVICE.to_owned(), false),
    }
    set("service.version", env!("CARGO_PKG_VERSION").to_owned(), false);
    // In a pod the host's name is the pod's, unless the pod uses the node's network.
    if let Some(host) = get("KUBERNETES_SERVICE_HOST").and_then(|_| get("HOSTNAME")) {
        set("k8s.pod.name", host, false);
    }
    Ok(resource)
}

/// `KEY=VALUE,…` with values that may be percent-encoded (W3C Baggage without properties).
fn pairs(name: &str, text: &str) -> Result<Vec<(String, String)>, String> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let pair = |part: &str| {
        let (key, value) = part.split_once('=')?;
        let (key, value) = (decoded(key.trim())?, decoded(value.trim())?);
        (!key.is_empty()).then_some((key, value))
    };
    let pairs: Option<_> = parts.map(pair).collect();
    pairs
        .ok_or_else(|| format!("{name} has a part that is no pair; allowed is KEY=VALUE,… with UTF-8 in %XX"))
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let hex = (*first == b'%').then(|| behind.get(..2)).flatten();
        let digits = hex.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        if let Some(byte) =
            digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok())
        {
            bytes.push(byte);
            rest = &behind[2..];
        } else {
            // A lone percent sign is one.
            bytes.push(*first);
            rest = behind;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");

    fn read(variables: &[(&str, &str)]) -> Result<Option<Environment>, String> {
        let get = |name: &str| {
            let found = variables.iter().rev().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Environment::new(get)
    }

    fn with(variable: (&str, &str)) -> Result<Option<Environment>, String> {
        read(&[HERE, variable])
    }

    #[test]
    fn nothing_is_sent_without_an_endpoint_or_when_it_is_switched_off() {
        assert!(read(&[]).expect("valid").is_none());
        assert!(read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]).expect("valid").is_none());
        assert!(with(("OTEL_SDK_DISABLED", "TRUE")).expect("valid").is_none());
        assert!(with(("OTEL_TRACES_EXPORTER", "none")).expect("valid").is_none());
    }

    #[test]
    fn the_general_endpoint_is_a_base_and_the_one_of_traces_is_taken_as_it_is() {
        for (name, value, url) in [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318", "http://c:4318/v1/traces"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318/", "http://c:4318/v1/traces"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://c/otlp", "https://c/otlp/v1/traces"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://c/in", "https://c/in"),
        ] {
            assert_eq!(with((name, value)).expect("valid").expect("sends").url.as_str(), url);
        }
    }

    #[test]
    fn defaults_are_those_of_the_specification() {
        let environment = read(&[HERE]).expect("valid").expect("sends");
        assert_eq!(environment.encoding, Encoding::Protobuf);
        let expected = [("service.name", SERVICE), ("service.version", env!("CARGO_PKG_VERSION"))];
        assert_eq!(environment.resource, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }

    #[test]
    fn pairs_are_decoded_and_the_service_has_a_variable_of_its_own() {
        let environment = read(&[
            HERE,
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20abc, x-tenant = a%2Cb ,"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=x,deployment.environment=c%C3%A9,rate=5%"),
            ("OTEL_SERVICE_NAME", "ci"),
            ("KUBERNETES_SERVICE_HOST", "10.0.0.1"),
            ("HOSTNAME", "pod-1"),
        ]);
        let environment = environment.expect("valid").expect("sends");
        let header = |name: &str| environment.headers[name].to_str().expect("a text");
        assert_eq!((header("authorization"), header("x-tenant")), ("Bearer abc", "a,b"));
        assert!(!format!("{environment:?}").contains("abc"), "{environment:?}");
        let find =
            |key: &str| environment.resource.iter().find(|(known, _)| known == key).map(|(_, v)| v.as_str());
        assert_eq!(find("service.name"), Some("ci"));
        assert_eq!(find("deployment.environment"), Some("cé"));
        assert_eq!(find("rate"), Some("5%"));
        assert_eq!(find("k8s.pod.name"), Some("pod-1"));
    }

    #[test]
    fn mistakes_name_the_variable_and_what_is_allowed_but_no_credential() {
        for (name, value, part) in [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "http://HOST:PORT"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "user:secret-word", "http://HOST:PORT"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc", "http/json"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "2s", "milliseconds"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "0", "milliseconds"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "secret-word", "KEY=VALUE"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a b=secret-word", "NAME=VALUE"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=secret-word%0A", "NAME=VALUE"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/does/not/exist", "/does/not/exist"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/proc/self/status", "PEM"),
            ("OTEL_RESOURCE_ATTRIBUTES", "a=%FF", "UTF-8"),
        ] {
            let problem = with((name, value)).expect_err(value);
            assert!(problem.starts_with(name) && problem.contains(part), "{problem}");
            assert!(!problem.contains("secret-word"), "{problem}");
        }
    }
}
