//! Settings of stores as files, shells and editors leave them.
//!
//! Most of what is wrong with one would show at the first request, after the test has
//! run: the object store library panics where a value makes no header or no address. So
//! each is checked at the start, by what becomes of it.

use super::StoreError;
use object_store::client::{HttpRequest, HttpRequestBody};
use reqwest::Url;

/// The use of a setting, which decides what it may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Part of a header, of a query or of a form.
    Text,
    /// The path of a file, or a name that nothing but a file holds.
    Path,
    /// A component of a host's name, or of an address's path.
    Label,
    /// A host, with or without a port.
    Host,
    /// An address to which paths are appended; its scheme where it has none.
    Base(&'static str),
    /// An address that is used as it is.
    Address,
    /// An address in which `{region}` is replaced.
    Regional,
    /// The path of an address, with its slash.
    Route,
    /// The address of a proxy, whose scheme is the HTTP client's business.
    Proxy,
    /// Texts between commas.
    List,
}

/// Drops white space around a setting, and completes an address. Refuses what could not
/// become of it what shall; the error names the source, never the value.
pub(super) fn checked(source: &str, kind: Kind, value: &str) -> Result<String, StoreError> {
    let value = value.trim();
    if value.is_empty() {
        return Ok(String::new());
    }
    let fail = |reason: &str| Err(StoreError::Setting(format!("{source}: {reason}")));
    match kind {
        Kind::Path if value.chars().any(char::is_control) => {
            return fail("it contains a control character; allowed is a path without one");
        }
        Kind::Path => return Ok(value.to_owned()),
        Kind::List => {
            let items = value.split(',').map(|item| checked(source, Kind::Text, item));
            return Ok(items.collect::<Result<Vec<_>, _>>()?.join(","));
        }
        Kind::Text
        | Kind::Label
        | Kind::Host
        | Kind::Base(_)
        | Kind::Address
        | Kind::Regional
        | Kind::Route
        | Kind::Proxy => {}
    }
    if let Some(position) = value.chars().position(|letter| letter.is_control() || !letter.is_ascii()) {
        return fail(&format!(
            "character {} is a control character or not ASCII; allowed is printable ASCII",
            position + 1
        ));
    }
    let is_label =
        |value: &str| value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let (is_right, allowed) = match kind {
        Kind::Text | Kind::Path | Kind::List => (true, ""),
        Kind::Label => {
            let is_right = is_label(value) && is_address(&format!("https://{value}.host"));
            (is_right, "letters, digits, hyphens, underscores and dots")
        }
        Kind::Host => (is_base(&format!("http://{value}")), "HOST and HOST:PORT"),
        Kind::Base(scheme) => {
            let base = with_scheme(scheme, value);
            let base = base.trim_end_matches('/');
            if is_base(base) {
                return Ok(base.to_owned());
            }
            (false, "http://HOST and https://HOST, with or without a port and a path, without a query")
        }
        Kind::Address => (is_address(value), "addresses with http:// or https://"),
        Kind::Regional => {
            (is_address(&value.replace("{region}", "region")), "addresses with http:// or https://")
        }
        Kind::Route => {
            (value.starts_with('/') && is_address(&format!("http://host{value}")), "the path of an address")
        }
        Kind::Proxy => {
            (parsed(&with_scheme("http", value)).is_some_and(|url| is_plain(&url)), "http://HOST:PORT")
        }
    };
    if is_right { Ok(value.to_owned()) } else { fail(&format!("it cannot be used; allowed: {allowed}")) }
}

/// Parses an address by both sets of rules that take it apart before a request is sent:
/// that of the HTTP client, and that of what signs the request.
pub(super) fn parsed(text: &str) -> Option<Url> {
    let mut request = HttpRequest::new(HttpRequestBody::empty());
    *request.uri_mut() = text.parse().ok()?;
    Url::parse(&request.uri().to_string()).ok()?;
    Url::parse(text).ok().filter(Url::has_host)
}

fn is_address(text: &str) -> bool {
    parsed(text).is_some_and(|url| matches!(url.scheme(), "http" | "https"))
}

fn is_base(text: &str) -> bool {
    is_address(text) && parsed(text).is_some_and(|url| is_plain(&url))
}

/// Returns whether a path can be appended.
fn is_plain(url: &Url) -> bool {
    url.query().is_none() && url.fragment().is_none()
}

fn with_scheme(scheme: &str, address: &str) -> String {
    if address.contains("://") { address.to_owned() } else { format!("{scheme}://{address}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_allowed(kind: Kind, value: &str) -> bool {
        match checked("SOURCE", kind, value) {
            Ok(_) => true,
            Err(error) => {
                let error = error.to_string();
                assert!(error.starts_with("SOURCE: ") && !error.contains("hunter"), "{error}");
                false
            }
        }
    }

    #[test]
    fn what_no_request_can_hold_is_refused_without_its_value() {
        use Kind::{Address, Base, Host, Label, List, Path, Proxy, Regional, Route, Text};
        let kinds = [Text, Path, Label, Host, Base("https"), Address, Regional, Route, Proxy, List];
        for kind in kinds {
            for inside in ["hunter\u{1}2", "hunter\u{7f}2", "hunter\u{85}2"] {
                assert!(!is_allowed(kind, inside), "{kind:?} {inside:?}");
            }
            assert_eq!(checked("SOURCE", kind, " \n").as_deref(), Ok(""), "nothing is as good as unset");
        }
        assert!(!is_allowed(Text, "hünter2") && is_allowed(Path, "/größe"));
        assert!(!is_allowed(Text, "hunter\n2") && is_allowed(List, "a,\n b"));
        assert!(!is_allowed(List, "a,hunter\n2"));
    }

    #[test]
    fn what_makes_no_address_is_refused() {
        for wrong in [
            "http://127.0.0.1:99999",
            "http://[::1",
            "http://hun ter",
            "http://h/hun ter",
            "http://h/<hunter",
        ] {
            for kind in [Kind::Base("https"), Kind::Address, Kind::Regional, Kind::Proxy] {
                assert!(!is_allowed(kind, wrong), "{kind:?} {wrong}");
            }
        }
        for wrong in
            ["ftp://hunter", "http://", "http:///hunter", "http://h?x=hunter", "http://h#hunter", "h?hunter"]
        {
            assert!(!is_allowed(Kind::Base("https"), wrong), "{wrong}");
        }
        assert!(!is_allowed(Kind::Address, "hunter.example") && !is_allowed(Kind::Address, "ftp://hunter"));
        for wrong in ["hunter 2", "hunter/2", "hunter:2", "hunter@2", "hunter%2", "xn--hunter-2"] {
            assert!(!is_allowed(Kind::Label, wrong), "{wrong}");
        }
        for wrong in ["hunter:99999", "hun ter", "hunter?x", "[::1"] {
            assert!(!is_allowed(Kind::Host, wrong), "{wrong}");
        }
        assert!(!is_allowed(Kind::Route, "@hunter/x") && !is_allowed(Kind::Route, "/hun ter"));
    }

    #[test]
    fn addresses_are_completed_and_stay_what_they_are() {
        let base = |value: &str| checked("SOURCE", Kind::Base("https"), value).expect("allowed");
        assert_eq!(base("s3.example.com\n"), "https://s3.example.com");
        assert_eq!(base(" http://minio:9000/"), "http://minio:9000");
        assert_eq!(base("http://[::1]:9000/a/b"), "http://[::1]:9000/a/b");
        assert_eq!(base("http://user:pass@minio"), "http://user:pass@minio");
        let same = |kind: Kind, value: &str| assert_eq!(checked("SOURCE", kind, value).as_deref(), Ok(value));
        same(Kind::Address, "https://token.example/x?api-version=2.0&audience=a%2Fb");
        same(
            Kind::Regional,
            "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15",
        );
        same(Kind::Route, "/v2/credentials/0a1b?x=y");
        same(Kind::Host, "169.254.169.254");
        same(Kind::Host, "metadata:8080");
        same(Kind::Proxy, "proxy:3128");
        same(Kind::Proxy, "socks5://user:pass@proxy");
        same(Kind::Label, "us-gov-west-1");
    }
}
