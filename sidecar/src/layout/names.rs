//! Names and types an item's file at the destination (contract 4.5, 4.7), by its
//! name alone.

use super::media_types::MediaTypes;

/// A file's name at the destination, and the properties of its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The last component of the object's key; empty for a file called `.gz`.
    pub name: String,
    /// The content type; `None` detects it by the content.
    pub content_type: Option<String>,
    /// The encoding that the file is already in.
    pub content_encoding: Option<&'static str>,
}

/// Applies the file-name rule: `a.json.gz` becomes `a.json`, of type JSON, encoded
/// with gzip. Archives keep their names: `x.tar.gz` and `x.tgz` count as types of
/// their own.
pub fn name_rule(name: &str, types: &MediaTypes) -> Named {
    let kept =
        |content_type: Option<String>| Named { name: name.to_owned(), content_type, content_encoding: None };
    let gzip = || Some("application/gzip".to_owned());
    if name.ends_with(".tar.gz") {
        return kept(gzip());
    }
    if name.strip_suffix(".tgz").is_some() {
        return kept(types.of("tgz").map(str::to_owned).or_else(gzip));
    }
    let last = |text: &str| text.rsplit('.').next().unwrap_or_default().to_owned();
    let of = |extension: &str| match extension {
        "" => None,
        known => types.of(known).map(str::to_owned),
    };
    let extension = last(name);
    if extension != "gz" && extension != "gzip" {
        return kept(of(&extension));
    }
    let (stripped, inner) = match name.strip_suffix(&format!(".{extension}")) {
        Some(stripped) => (stripped, last(stripped)),
        None => (name, String::new()),
    };
    let known = of(&inner);
    Named {
        name: stripped.to_owned(),
        content_encoding: known.is_some().then_some("gzip"),
        content_type: known.or_else(gzip),
    }
}

/// Returns whether the rule takes the end of a name for an encoding.
pub fn has_gzip_name(name: &str) -> bool {
    !name.ends_with(".tar.gz") && gzip_endings(name) > 0
}

/// Applies the file-name rule to a file whose object has this key: a file with the name
/// but not the content of gzip kept its name, so that only the content says its type.
pub fn named_as_stored(name: &str, key: &str, types: &MediaTypes) -> Named {
    if has_gzip_name(name) && gzip_endings(key) == gzip_endings(name) {
        return Named { name: name.to_owned(), content_type: None, content_encoding: None };
    }
    name_rule(name, types)
}

/// Counts the endings of a name that stand for gzip.
fn gzip_endings(mut name: &str) -> usize {
    let mut count = 0;
    while let Some(rest) = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".gzip")) {
        (name, count) = (rest, count + 1);
    }
    count
}

/// Returns whether an object with this key is compressed, if its content is worth
/// it (U-50).
pub fn is_compression_candidate(key: &str, extensions: &[String]) -> bool {
    let extension = extension_of(key);
    extension != "gz"
        && extension != "gzip"
        && extensions.iter().any(|listed| listed == "*" || listed == extension)
}

/// Returns the text after the last dot of a key's last component; empty without a
/// dot.
pub fn extension_of(key: &str) -> &str {
    let name = key.rsplit('/').next().unwrap_or_default();
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

/// Returns the base name of an item: its last component, without trailing slashes
/// (U-20).
pub fn base_name(item: &str) -> &str {
    let trimmed = item.trim_end_matches('/');
    trimmed.rsplit('/').next().unwrap_or_default()
}

/// Returns what an item adds in front of the keys of its files: the base name of its
/// cleaned path. The working directory and its parents add nothing.
pub fn item_name(item: &str) -> String {
    let clean = common::paths::clean(item);
    let name = base_name(&clean);
    if matches!(name, "." | "..") { String::new() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types() -> MediaTypes {
        let options = [("log".to_owned(), "text/plain".to_owned())];
        MediaTypes::load(options.iter().map(|(k, v)| (k, v)))
    }

    #[test]
    fn vectors_v_fn() {
        const TEXT: Option<&str> = Some("text/plain; charset=utf-8");
        const GZIP: Option<&str> = Some("application/gzip");
        for (id, name, object, kind, encoding) in [
            ("V-FN-1", "build-log.txt", "build-log.txt", TEXT, None),
            ("V-FN-2", "build-log.txt.gz", "build-log.txt", TEXT, Some("gzip")),
            ("V-FN-3", "gz", "gz", GZIP, None),
            ("V-FN-4", "build-log.gz", "build-log", GZIP, None),
            ("V-FN-5", "events.json", "events.json", Some("application/json"), None),
            ("V-FN-6", "journal.log", "journal.log", TEXT, None),
            ("V-FN-7", "", "", None, None),
            ("4.5", "a.json.gz", "a.json", Some("application/json"), Some("gzip")),
            ("4.5", "a.txt.gzip", "a.txt", TEXT, Some("gzip")),
            ("4.5", "html", "html", Some("text/html; charset=utf-8"), None),
            ("4.5", "Makefile", "Makefile", None, None),
            ("4.5", ".gz", "", GZIP, None),
            ("4.5", "README.", "README.", None, None),
            ("4.5 as changed", "x.tar.gz", "x.tar.gz", GZIP, None),
            ("4.5 as changed", "x.tgz", "x.tgz", GZIP, None),
            ("4.5", "x.GZ", "x.GZ", GZIP, None),
        ] {
            let named = name_rule(name, &types());
            assert_eq!(named.name, object, "{id} {name}");
            assert_eq!(named.content_type.as_deref(), kind, "{id} {name}");
            assert_eq!(named.content_encoding, encoding, "{id} {name}");
        }
    }

    #[test]
    fn a_file_that_kept_its_name_is_typed_by_its_content() {
        let named = |name, key| {
            let named = named_as_stored(name, key, &types());
            (named.content_type.unwrap_or_default(), named.content_encoding)
        };
        let encoded = ("text/plain; charset=utf-8".to_owned(), Some("gzip"));
        assert_eq!(named("x.log.gz", "artifacts/x.log"), encoded);
        assert_eq!(named("x.log.gz", "artifacts/x.log.gz"), (String::new(), None));
        assert_eq!(named("x.gz", "artifacts/x.gz"), (String::new(), None));
        assert_eq!(named("x.gz", "artifacts/x"), ("application/gzip".to_owned(), None));
        assert_eq!(named("x.gz.gz", "artifacts/x.gz"), ("application/gzip".to_owned(), Some("gzip")));
        assert_eq!(named("x.tar.gz", "artifacts/x.tar.gz"), ("application/gzip".to_owned(), None));
        assert!(has_gzip_name("a.txt.gzip") && has_gzip_name(".gz"));
        assert!(!has_gzip_name("gz") && !has_gzip_name("a.tgz") && !has_gzip_name("a.tar.gz"));
    }

    #[test]
    fn vectors_v_cm_1_to_3() {
        let list = |extensions: &[&str]| extensions.iter().map(|e| (*e).to_owned()).collect::<Vec<_>>();
        assert!(is_compression_candidate("some-file.txt", &list(&["*"])), "V-CM-1");
        assert!(is_compression_candidate("some-file.txt", &list(&["txt"])), "V-CM-2");
        assert!(!is_compression_candidate("build/log.text", &list(&["txt"])), "V-CM-3");
        assert!(!is_compression_candidate("a.d/log.gz", &list(&["*", "gz"])), "U-50: packed already");
        assert!(!is_compression_candidate("a.txt/log", &list(&["txt"])), "U-50: last component");
        assert!(is_compression_candidate("a.txt/log", &list(&[""])), "U-50: no extension");
        assert!(!is_compression_candidate("a.TXT", &list(&["txt"])), "U-50: case counts");
    }

    #[test]
    fn base_names_ignore_trailing_slashes() {
        assert_eq!(base_name("/logs/artifacts//"), "artifacts");
        assert_eq!(base_name("artifacts"), "artifacts");
    }

    #[test]
    fn an_item_is_cleaned_before_it_gives_its_name() {
        for item in ["/logs/artifacts", "artifacts/.", "./artifacts//", "artifacts/../artifacts"] {
            assert_eq!(item_name(item), "artifacts", "{item}");
        }
        for item in [".", "./", "..", "a/..", "/", ""] {
            assert_eq!(item_name(item), "", "{item}");
        }
    }
}
