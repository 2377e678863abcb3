//! Links of a page to logs and artifacts.

use crate::sgr::{Piece, pieces};
use common::percent;
use std::path::Path;

/// The part of a link in front of an object's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Links {
    /// Ends with a slash; `None` where a browser cannot follow.
    base: Option<String>,
}

impl Links {
    /// For a page that lies beside the objects.
    pub fn beside() -> Self {
        Self { base: Some("./".to_owned()) }
    }

    /// For a page whose objects a browser cannot reach.
    pub fn none() -> Self {
        Self { base: None }
    }

    /// Parses a URL of a web server, or a path relative to the page.
    pub fn given(base: &str) -> Result<Self, String> {
        let scheme = base.split_once(':').map(|(scheme, _)| scheme).filter(|scheme| !scheme.contains('/'));
        if base.is_empty() || !matches!(scheme, None | Some("https" | "http" | "file")) {
            return Err(
                "allowed is a URL with https, http or file, or a path relative to the page".to_owned()
            );
        }
        let base = base.trim_end_matches('/');
        Ok(Self { base: Some(format!("{base}/")) })
    }

    /// For objects below a directory of this machine.
    pub fn to_directory(root: &Path) -> Self {
        Self { base: file_url(root) }
    }

    /// For objects in a bucket of Google: the console's address, which asks the reader to log in.
    pub fn to_google(bucket: &str, prefix: &str) -> Self {
        let prefix = if prefix.is_empty() { String::new() } else { format!("{}/", encoded(prefix)) };
        Self { base: Some(format!("https://storage.cloud.google.com/{}/{prefix}", encoded(bucket))) }
    }

    /// The link to an object.
    pub fn to(&self, name: &str) -> Option<String> {
        self.base.as_ref().map(|base| format!("{base}{}", encoded(name)))
    }

    /// The link to a line of a text: browsers that know text fragments scroll to it. In a
    /// line with colours the longest text between them is looked for.
    pub(crate) fn to_line(&self, name: &str, line: &str) -> Option<String> {
        let texts = pieces(line).filter_map(|piece| match piece {
            Piece::Text(text) if !text.contains(['\\', '…']) => Some(text.trim()),
            Piece::Text(_) | Piece::Colour(_) => None,
        });
        let to = self.to(name)?;
        let plain: String =
            texts.max_by_key(|text| text.len()).unwrap_or_default().chars().take(60).collect();
        if plain.is_empty() {
            return Some(to);
        }
        // The dash is special in a text fragment.
        Some(format!("{to}#:~:text={}", encoded(&plain).replace('/', "%2F").replace('-', "%2D")))
    }
}

fn file_url(root: &Path) -> Option<String> {
    let root = encoded(root.to_str()?);
    Some(format!("file://{}/", root.trim_end_matches('/')))
}

/// Percent-encoded but for what is never special; slashes stay.
fn encoded(text: &str) -> String {
    percent::encoded(text, b"/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_stay_names() {
        let links = Links::beside();
        assert_eq!(links.to("javascript:alert(1)").as_deref(), Some("./javascript%3Aalert%281%29"));
        assert_eq!(links.to("a b/\"'<?#%.txt").as_deref(), Some("./a%20b/%22%27%3C%3F%23%25.txt"));
        let line = links.to_line("build-log.txt", " an error-<b> ");
        assert_eq!(line.as_deref(), Some("./build-log.txt#:~:text=an%20error%2D%3Cb%3E"));
        let line = links.to_line("a", "\u{1b}[31merror\u{1b}[0m: the message\u{1b}[1m");
        assert_eq!(line.as_deref(), Some("./a#:~:text=%3A%20the%20message"));
    }

    #[test]
    fn bases_are_urls_of_files_or_web_servers() {
        for bad in ["", "javascript:alert(1)", "data:text/html,x"] {
            assert!(Links::given(bad).is_err(), "{bad}");
        }
        let links = Links::given("https://ci.example/x/").expect("a base");
        assert_eq!(links.to("a").as_deref(), Some("https://ci.example/x/a"));
        assert_eq!(Links::to_directory(Path::new("/a b")).to("a").as_deref(), Some("file:///a%20b/a"));
        assert_eq!(
            Links::to_google("b", "p").to("a").as_deref(),
            Some("https://storage.cloud.google.com/b/p/a")
        );
        assert_eq!(Links::none().to("a"), None);
    }
}
