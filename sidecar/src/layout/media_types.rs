//! The media types that extensions stand for (contract 4.6).

use super::sniff;
use std::collections::{HashMap, HashSet};
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

/// Databases of which only the first that exists is read.
const GLOBS: &[&str] = &["/usr/local/share/mime/globs2", "/usr/share/mime/globs2"];

/// Databases that are all read where no `globs2` exists.
const MIME_TYPES: &[&str] =
    &["/etc/mime.types", "/etc/apache2/mime.types", "/etc/apache/mime.types", "/etc/httpd/conf/mime.types"];

/// Extensions, without their dot, and the media types they stand for.
#[derive(Clone, Debug, Default)]
pub struct MediaTypes {
    exact: HashMap<String, Arc<str>>,
    lower: HashMap<String, Arc<str>>,
    /// Each type once, those that only content can have included.
    all: HashSet<Arc<str>>,
}

impl MediaTypes {
    /// Makes Go's table alone.
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

    /// Makes Go's table, the image's databases, then the `mediaTypes` option, which
    /// overrides everything. `read` returns the database with a path; one that
    /// cannot be read counts as absent, as in Go.
    pub fn load<'a>(
        read: impl Fn(&str) -> Option<String>,
        options: impl IntoIterator<Item = (&'a String, &'a String)>,
    ) -> Self {
        let mut types = Self::built_in();
        if let Some(globs) = GLOBS.iter().find_map(|path| read(path)) {
            types.add_globs(&globs);
        } else {
            for text in MIME_TYPES.iter().filter_map(|path| read(path)) {
                types.add_mime_types(&text);
            }
        }
        for (extension, kind) in options {
            types.register(extension, kind);
        }
        types
    }

    /// Returns the type of an extension: by its exact case, else by lower case.
    pub fn of(&self, extension: &str) -> Option<&str> {
        self.exact
            .get(extension)
            .or_else(|| self.lower.get(&extension.to_ascii_lowercase()))
            .map(|kind| &**kind)
    }

    /// Returns the one text in memory for a type: very many objects have few types.
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

    /// Adds `weight:type:*.ext` lines, which do not override.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_case_wins_over_lower_case() {
        let options = [("LOG".to_owned(), "application/x-loud".to_owned())];
        let types = MediaTypes::load(|_| None, options.iter().map(|(k, v)| (k, v)));
        assert_eq!(types.of("LOG"), Some("application/x-loud"));
        assert_eq!(types.of("Log"), Some("application/x-loud"));
        assert_eq!(types.of("JSON"), Some("application/json"));
        assert_eq!(types.of("unknown"), None);
    }

    #[test]
    fn i8_a_type_is_in_memory_once() {
        let options = [("log".to_owned(), "image/of-this-test".to_owned())];
        let types = MediaTypes::load(|_| None, options.iter().map(|(k, v)| (k, v)));
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
        let mime_types = |path: &str| {
            (path == "/etc/mime.types").then(|| "# c\napplication/x-a json yaml # rest\n".to_owned())
        };
        let types = MediaTypes::load(mime_types, []);
        assert_eq!(types.of("json"), Some("application/x-a"));
        assert_eq!(types.of("yaml"), Some("application/x-a"));
        let globs = "# c\n50:application/x-b:*.json\n50:text/markdown:*.md\n50:x/y:makefile\n50:x/z:*.[ab]\n";
        let both = |path: &str| match path {
            "/usr/share/mime/globs2" => Some(globs.to_owned()),
            path => mime_types(path),
        };
        let types = MediaTypes::load(both, []);
        assert_eq!(types.of("json"), Some("application/json"));
        assert_eq!(types.of("md"), Some("text/markdown; charset=utf-8"));
        assert_eq!(types.of("yaml"), None);
        assert_eq!(types.of("[ab]"), None);
    }
}
