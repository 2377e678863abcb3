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

    /// Makes Go's table, then the `mediaTypes` option, which overrides it. The databases
    /// of the machine, which Go reads, would give a file another type on another image.
    pub fn load<'a>(options: impl IntoIterator<Item = (&'a String, &'a String)>) -> Self {
        let mut types = Self::built_in();
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
        let types = MediaTypes::load(options.iter().map(|(k, v)| (k, v)));
        assert_eq!(types.of("LOG"), Some("application/x-loud"));
        assert_eq!(types.of("Log"), Some("application/x-loud"));
        assert_eq!(types.of("JSON"), Some("application/json"));
        assert_eq!(types.of("unknown"), None);
    }

    #[test]
    fn i8_a_type_is_in_memory_once() {
        let options = [("log".to_owned(), "image/of-this-test".to_owned())];
        let types = MediaTypes::load(options.iter().map(|(k, v)| (k, v)));
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
}
