//! The media types that extensions stand for (contract 4.6).

use super::sniff;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

/// Go's built-in table (toolchain 1.26): type, then its extensions.
const BUILT_IN: &[(&str, &str)] = &[
    ("application/postscript", "ai eps ps"),
    ("application/vnd.android.package-archive", "apk"),
    ("image/apng", "apng"),
    ("image/avif", "avif"),
    ("application/octet-stream", "bin com exe"),
    ("image/bmp", "bmp"),
    ("text/css; charset=utf-8", "css"),
    ("text/csv; charset=utf-8", "csv"),
    ("application/msword", "doc"),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    ("text/html; charset=utf-8", "ehtml htm html shtml"),
    ("message/rfc822", "eml"),
    ("audio/flac", "flac"),
    ("image/gif", "gif"),
    ("application/gzip", "gz"),
    ("image/vnd.microsoft.icon", "ico"),
    ("text/calendar; charset=utf-8", "ics"),
    ("image/jpeg", "jfif jpeg jpg pjp pjpeg"),
    ("text/javascript; charset=utf-8", "js mjs"),
    ("application/json", "json"),
    ("audio/mp4", "m4a"),
    ("audio/mpeg", "mp3"),
    ("video/mp4", "mp4"),
    ("audio/ogg", "oga ogg opus"),
    ("video/ogg", "ogv"),
    ("application/pdf", "pdf"),
    ("image/png", "png"),
    ("application/vnd.ms-powerpoint", "ppt"),
    ("application/vnd.openxmlformats-officedocument.presentationml.presentation", "pptx"),
    ("application/rdf+xml", "rdf"),
    ("application/rtf", "rtf"),
    ("image/svg+xml", "svg"),
    ("text/plain; charset=utf-8", "text txt"),
    ("image/tiff", "tif tiff"),
    ("text/vtt; charset=utf-8", "vtt"),
    ("application/wasm", "wasm"),
    ("audio/wav", "wav"),
    ("audio/webm", "webm"),
    ("image/webp", "webp"),
    ("text/xml; charset=utf-8", "xbl xml xsl"),
    ("image/x-xbitmap", "xbm"),
    ("application/xhtml+xml", "xht xhtml"),
    ("application/vnd.ms-excel", "xls"),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
    ("application/zip", "zip"),
];

/// The first of these that exists is read, and nothing else.
const GLOBS: &[&str] = &["/usr/local/share/mime/globs2", "/usr/share/mime/globs2"];

/// All of these are read where no `globs2` exists.
const MIME_TYPES: &[&str] =
    &["/etc/mime.types", "/etc/apache2/mime.types", "/etc/apache/mime.types", "/etc/httpd/conf/mime.types"];

/// Extensions, without their dot, and the media types they stand for.
#[derive(Clone, Debug, Default)]
pub struct MediaTypes {
    exact: HashMap<String, Arc<str>>,
    lower: HashMap<String, Arc<str>>,
    /// Each type once, those that only content tells included.
    all: HashSet<Arc<str>>,
}

impl MediaTypes {
    /// Go's table alone.
    pub fn built_in() -> Self {
        let mut types = Self::default();
        types.all.extend(sniff::all_types().map(Arc::from));
        for (kind, extensions) in BUILT_IN {
            for extension in extensions.split(' ') {
                types.register(extension, kind);
            }
        }
        types
    }

    /// Go's table, the image's databases under `root` (`/`), then the
    /// `mediaTypes` option, which overrides everything.
    pub fn load<'a>(root: &Path, options: impl IntoIterator<Item = (&'a String, &'a String)>) -> Self {
        let mut types = Self::built_in();
        // A database that cannot be read is as good as none, as in Go.
        let read = |path: &&str| std::fs::read_to_string(root.join(path.trim_start_matches('/'))).ok();
        if let Some(globs) = GLOBS.iter().find_map(read) {
            types.add_globs(&globs);
        } else {
            for text in MIME_TYPES.iter().filter_map(read) {
                types.add_mime_types(&text);
            }
        }
        for (extension, kind) in options {
            types.register(extension, kind);
        }
        types
    }

    /// The type of an extension: exact case first, then lower case.
    pub fn of(&self, extension: &str) -> Option<&str> {
        self.exact
            .get(extension)
            .or_else(|| self.lower.get(&extension.to_ascii_lowercase()))
            .map(|kind| &**kind)
    }

    /// Returns a text that is shared by all who ask for the same type, so that
    /// very many objects of few types need no memory for it.
    pub fn shared(&self, kind: &str) -> Arc<str> {
        self.all.get(kind).map_or_else(|| kind.into(), Arc::clone)
    }

    /// Registers a type; text without a character set is UTF-8.
    fn register(&mut self, extension: &str, kind: &str) {
        let kind = self.shared(&with_charset(kind));
        self.all.insert(Arc::clone(&kind));
        self.lower.insert(extension.to_ascii_lowercase(), Arc::clone(&kind));
        self.exact.insert(extension.to_owned(), kind);
    }

    /// Adds `weight:type:*.ext` lines; an extension already known is kept.
    fn add_globs(&mut self, text: &str) {
        for line in text.lines() {
            let mut fields = line.split(':');
            let (Some(_), Some(kind), Some(glob)) = (fields.next(), fields.next(), fields.next()) else {
                continue;
            };
            let Some(extension) = glob.strip_prefix("*.") else { continue };
            let plain = !extension.contains(['?', '*', '[']);
            if plain && !line.starts_with('#') && !self.exact.contains_key(extension) {
                self.register(extension, kind);
            }
        }
    }

    /// Adds `type ext ext…` lines, which override.
    fn add_mime_types(&mut self, text: &str) {
        for line in text.lines() {
            let mut fields = line.split_whitespace();
            let Some(kind) = fields.next().filter(|kind| !kind.starts_with('#')) else { continue };
            for extension in fields.take_while(|extension| !extension.starts_with('#')) {
                self.register(extension, kind);
            }
        }
    }
}

fn with_charset(kind: &str) -> String {
    let lower = kind.to_ascii_lowercase();
    if lower.starts_with("text/") && !lower.contains("charset=") {
        format!("{kind}; charset=utf-8")
    } else {
        kind.to_owned()
    }
}

/// Whether `text` has the form of a media type: type, slash, subtype, then
/// `;`-separated parameters (RFC 2045, as Go's `mime.ParseMediaType` reads it,
/// which lets the subtype be missing).
pub fn is_media_type(text: &str) -> bool {
    let mut parts = text.splitn(2, ';');
    let kind = parts.next().unwrap_or_default().trim();
    let well_formed = match kind.split_once('/') {
        Some((kind, subtype)) => is_token(kind) && is_token(subtype),
        None => is_token(kind),
    };
    well_formed && parts.next().is_none_or(are_parameters)
}

fn are_parameters(text: &str) -> bool {
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let Some((name, tail)) = rest.split_once('=') else { return false };
        if !is_token(name.trim()) {
            return false;
        }
        let Some(after) = behind_value(tail.trim_start()) else { return false };
        rest = match after.trim_start() {
            "" => "",
            more => match more.strip_prefix(';') {
                Some(more) => more.trim_start(),
                None => return false,
            },
        };
    }
    true
}

/// What follows a parameter's value, quoted or not.
fn behind_value(text: &str) -> Option<&str> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ' ', '\t']).unwrap_or(text.len());
        return is_token(&text[..end]).then_some(&text[end..]);
    };
    let mut escaped = false;
    for (at, character) in quoted.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(&quoted[at + 1..]),
            '\r' | '\n' => return None,
            _ => {}
        }
    }
    None
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && !r#"()<>@,;:\"/[]?="#.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_case_wins_over_lower_case() {
        let options = [("LOG".to_owned(), "application/x-loud".to_owned())];
        let types = MediaTypes::load(Path::new("/nonexistent"), options.iter().map(|(k, v)| (k, v)));
        assert_eq!(types.of("LOG"), Some("application/x-loud"));
        assert_eq!(types.of("Log"), Some("application/x-loud"));
        assert_eq!(types.of("JSON"), Some("application/json"));
        assert_eq!(types.of("unknown"), None);
    }

    #[test]
    fn i8_a_type_is_in_memory_once() {
        let options = [("log".to_owned(), "image/of-this-test".to_owned())];
        let types = MediaTypes::load(Path::new("/nonexistent"), options.iter().map(|(k, v)| (k, v)));
        for kind in ["image/of-this-test", "text/plain; charset=utf-8", "application/x-gzip"] {
            assert!(Arc::ptr_eq(&types.shared(kind), &types.shared(kind)), "{kind}");
        }
        assert_eq!(&*types.shared("image/unknown"), "image/unknown");
    }

    #[test]
    fn text_gets_a_character_set() {
        assert_eq!(with_charset("text/plain"), "text/plain; charset=utf-8");
        assert_eq!(with_charset("text/plain; charset=latin1"), "text/plain; charset=latin1");
        assert_eq!(with_charset("image/png"), "image/png");
    }

    #[test]
    fn globs_keep_and_mime_types_override_what_is_known() {
        let root = tempfile::tempdir().expect("a directory");
        std::fs::create_dir_all(root.path().join("etc")).expect("made");
        std::fs::write(root.path().join("etc/mime.types"), "# c\napplication/x-a json yaml # rest\n")
            .expect("written");
        let types = MediaTypes::load(root.path(), []);
        assert_eq!(types.of("json"), Some("application/x-a"));
        assert_eq!(types.of("yaml"), Some("application/x-a"));
        std::fs::create_dir_all(root.path().join("usr/share/mime")).expect("made");
        let globs = "# c\n50:application/x-b:*.json\n50:text/markdown:*.md\n50:x/y:makefile\n50:x/z:*.[ab]\n";
        std::fs::write(root.path().join("usr/share/mime/globs2"), globs).expect("written");
        let types = MediaTypes::load(root.path(), []);
        assert_eq!(types.of("json"), Some("application/json"));
        assert_eq!(types.of("md"), Some("text/markdown; charset=utf-8"));
        assert_eq!(types.of("yaml"), None);
        assert_eq!(types.of("[ab]"), None);
    }

    #[test]
    fn media_types_are_recognised() {
        for good in ["text/plain", "text/plain; charset=utf-8", "a/b;c=\"d;e\"; f=g", "text", "a/b;"] {
            assert!(is_media_type(good), "{good}");
        }
        for bad in ["", "/", "a/", "text/plain,x:a/b", "a b/c", "a/b; c", "a/b; c=", "a/b; c=\"d", "a/b/c"] {
            assert!(!is_media_type(bad), "{bad}");
        }
    }
}
