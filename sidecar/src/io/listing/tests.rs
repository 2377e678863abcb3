use super::*;
use crate::options::{JobFlags, SidecarOptions};
use common::job_spec::{JobSpec, JobSpecError};
use std::os::unix::fs::{PermissionsExt, symlink};

/// All pieces of a listing.
#[derive(Debug, Default)]
struct Listing {
    wanted: Vec<Wanted>,
    skipped: Vec<Refused>,
    displaced: Vec<Refused>,
    items: Vec<Option<Item>>,
}

impl Listing {
    fn of(settings: &Settings) -> Self {
        let mut all = Self::default();
        list(settings, &MediaTypes::built_in(), || None, &mut |piece| {
            all.items.extend(piece.items.into_iter().flatten());
            all.wanted.extend(piece.wanted);
            all.skipped.extend(piece.skipped);
            all.displaced.extend(piece.displaced);
            ControlFlow::Continue(())
        });
        all
    }
}

struct Case {
    dir: tempfile::TempDir,
}

impl Case {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a directory") }
    }

    fn path(&self, path: &str) -> String {
        self.dir.path().join(path).to_str().expect("UTF-8").to_owned()
    }

    fn write(&self, path: &str, content: &str) -> &Self {
        let path = self.dir.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(path, content).expect("written");
        self
    }

    /// Writes the least complete gzip file.
    fn gzip(&self, path: &str) -> &Self {
        self.write(path, "");
        let empty = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        std::fs::write(self.dir.path().join(path), empty).expect("written");
        self
    }

    fn settings(&self, bucket: bool, items: &[&str]) -> Settings {
        let items: Vec<String> = items.iter().map(|item| self.path(item)).collect();
        let destination = if bucket {
            r#""bucket":"b","path_strategy":"explicit""#
        } else {
            r#""local_output_dir":"/out""#
        };
        let text = format!(
            r#"{{"entries":[{{"process_log":"{}","marker_file":"m"}}],"gcs_options":{{"items":{},{destination}}}}}"#,
            self.path("log.txt"),
            common::json::to_go_string(&items)
        );
        let mut options = SidecarOptions::default();
        common::json::decode(&mut options, &text).expect("decodes");
        let spec = if bucket {
            JobSpec::parse(r#"{"type":"periodic","job":"job","buildid":"build"}"#)
        } else {
            Err(JobSpecError::Unset)
        };
        Settings::new(options, &JobFlags::default(), spec).expect("valid")
    }

    fn list(&self, bucket: bool, items: &[&str]) -> Listing {
        Listing::of(&self.settings(bucket, items))
    }
}

fn keys(listing: &Listing) -> Vec<String> {
    listing.wanted.iter().filter(|w| w.class == Class::Artifact).map(|w| w.key.to_string()).collect()
}

fn reason<'a>(listing: &'a Listing, key: &str) -> &'a str {
    let found = listing.skipped.iter().find(|(skipped, _)| skipped.key == *key);
    &found.unwrap_or_else(|| panic!("{key} in {:?}", listing.skipped)).1
}

/// Why this does not take a key that another object has.
fn displaced<'a>(listing: &'a Listing, key: &str) -> &'a str {
    let found = listing.displaced.iter().find(|(displaced, _)| displaced.key == *key);
    &found.unwrap_or_else(|| panic!("{key} in {:?}", listing.displaced)).1
}

#[test]
fn v_gt_4_and_5_files_and_directories_byte_for_byte() {
    let case = Case::new();
    case.write("something", "").write("else", "").write("escape#me/foo", "").write("escape#me/a%20b?", "");
    let items = ["something", "else", "escape#me", "missing"];
    let expected = ["something", "else", "escape#me/a%20b?", "escape#me/foo"];
    for bucket in [false, true] {
        assert_eq!(keys(&case.list(bucket, &items)), expected);
    }
}

#[test]
fn the_bulk_begins_with_pointers_and_logs() {
    let case = Case::new();
    case.write("log.txt", "hello");
    let listing = case.list(true, &[]);
    let all: Vec<_> = listing.wanted.iter().map(|w| (w.key.to_string(), w.class)).collect();
    let expected = [("/logs/job/latest-build.txt", Class::LatestBuild), ("build-log.txt", Class::BuildLog)];
    assert_eq!(all, expected.map(|(key, class)| (key.to_owned(), class)));
    assert_eq!(listing.wanted[1].source, Origin::Log(0));
}

#[test]
fn s_42_a_missing_log_becomes_a_line() {
    let case = Case::new();
    let listing = case.list(false, &[]);
    let Origin::Document(content) = &listing.wanted[0].source else { panic!("a document") };
    let path = case.path("log.txt");
    assert_eq!(**content, format!("Failed to open {path}: open {path}: no such file or directory\n"));
}

#[test]
fn packed_files_are_renamed_in_buckets_only_and_the_first_name_wins() {
    let case = Case::new();
    case.write("a/x.txt", "").gzip("a/x.txt.gz").gzip("a/y.json.gz").write("a/z.tar.gz", "");
    case.write("a/text.log.gz", "a plain text");
    let listing = case.list(true, &["a"]);
    assert_eq!(keys(&listing), ["a/text.log.gz", "a/x.txt", "a/y.json", "a/z.tar.gz"]);
    assert!(displaced(&listing, "a/x.txt").contains("taken"));
    assert!(listing.skipped.is_empty());
    let paths: Vec<_> = listing.wanted.iter().map(|w| &w.source).collect();
    assert!(paths.contains(&&Origin::Item {
        item: 0,
        path: Some(ItemPath::beside(None, Path::new("y.json.gz")).into())
    }));
    assert!(paths.contains(&&Origin::Item { item: 0, path: None }));
    let local = case.list(false, &["a"]);
    assert_eq!(keys(&local), ["a/text.log.gz", "a/x.txt", "a/x.txt.gz", "a/y.json.gz", "a/z.tar.gz"]);
}

#[test]
fn reserved_names_are_not_taken() {
    let case = Case::new();
    case.write("finished.json", "{}").write("x/finished.json", "{}").write("build-log.txt", "");
    let listing = case.list(true, &["finished.json", "x", "build-log.txt"]);
    assert_eq!(keys(&listing), ["x/finished.json"]);
    assert!(displaced(&listing, "finished.json").contains("sidecar's own"));
    assert!(displaced(&listing, "build-log.txt").contains("sidecar's own"));
}

#[test]
fn what_is_no_file_takes_nobodys_name() {
    let case = Case::new();
    case.write("a/x.txt", "").gzip("a/z.txt.gz");
    for (link, target) in [("x.txt.gz", "none"), ("z.txt", "none"), ("y.txt", "none"), ("y.txt.gz", "loop")] {
        symlink(target, case.dir.path().join("a").join(link)).expect("linked");
    }
    let listing = case.list(true, &["a"]);
    assert_eq!(keys(&listing), ["a/x.txt", "a/z.txt"]);
    for key in ["a/x.txt", "a/y.txt", "a/z.txt"] {
        assert!(displaced(&listing, key).contains("nothing"), "{key}");
    }
    assert!(reason(&listing, "a/y.txt").contains("nothing"));
    assert_eq!((listing.skipped.len(), listing.displaced.len()), (1, 3));
}

#[test]
fn links_are_followed_inside_the_item_only() {
    let case = Case::new();
    case.write("secret", "s").write("a/real/file", "12345");
    let link =
        |target: &str, name: &str| symlink(target, case.dir.path().join("a").join(name)).expect("linked");
    link("real/file", "inside");
    link("inside", "chain");
    link(&case.path("a/real/file"), "absolute");
    link("absolute", "to-absolute");
    link("../secret", "escape");
    link(&case.path("secret"), "absolute-escape");
    link("/etc/passwd", "elsewhere");
    link("nothing", "dangling");
    link("real", "to-directory");
    link(".", "to-root");
    link(&case.path("a"), "to-root-absolute");
    link("loop", "loop");
    let listing = case.list(false, &["a"]);
    let mut found = keys(&listing);
    found.sort_unstable();
    assert_eq!(found, ["a/absolute", "a/chain", "a/inside", "a/real/file", "a/to-absolute"]);
    assert!(listing.wanted.iter().filter(|w| w.class == Class::Artifact).all(|w| w.bytes == 5));
    for key in ["a/escape", "a/absolute-escape", "a/elsewhere"] {
        assert!(reason(&listing, key).contains("leaves"), "{key}: {}", reason(&listing, key));
    }
    assert!(reason(&listing, "a/dangling").contains("nothing"), "{}", reason(&listing, "a/dangling"));
    for key in ["a/to-directory", "a/to-root", "a/to-root-absolute"] {
        assert!(reason(&listing, key).contains("directory"), "{key}");
    }
    assert!(!reason(&listing, "a/loop").is_empty());
}

#[test]
fn an_item_that_is_a_link_is_refused() {
    let case = Case::new();
    case.write("real/file", "");
    symlink("real", case.dir.path().join("link")).expect("linked");
    symlink("real/file", case.dir.path().join("filelink")).expect("linked");
    let listing = case.list(false, &["link", "filelink"]);
    assert!(keys(&listing).is_empty());
    for key in ["link", "filelink"] {
        assert!(reason(&listing, key).contains("symbolic link"), "{}", reason(&listing, key));
    }
}

#[test]
fn special_files_are_skipped_by_name() {
    let case = Case::new();
    case.write("a/file", "");
    let _socket = std::os::unix::net::UnixListener::bind(case.path("a/socket")).expect("bound");
    let fifo = case.dir.path().join("a/fifo");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, fifo, rustix::fs::FileType::Fifo, mode, 0).expect("made");
    let listing = case.list(false, &["a"]);
    assert_eq!(keys(&listing), ["a/file"]);
    assert!(reason(&listing, "a/socket").contains("a socket"));
    assert!(reason(&listing, "a/fifo").contains("a named pipe"));
}

#[test]
fn odd_names_are_escaped_and_long_keys_skipped() {
    use std::os::unix::ffi::OsStrExt;
    let case = Case::new();
    case.write("a/new\nline", "");
    let raw = case.dir.path().join("a").join(std::ffi::OsStr::from_bytes(b"raw\xff"));
    std::fs::write(raw, "").expect("written");
    let deep = vec!["d".repeat(200); 6].join("/");
    case.write(&format!("a/{deep}"), "");
    let listing = case.list(true, &["a"]);
    assert_eq!(keys(&listing), ["a/new%0Aline", "a/raw%FF"]);
    assert!(reason(&listing, &format!("a/{deep}")).contains("1024"));
    let Origin::Item { path: Some(path), .. } = &listing.wanted[2].source else { panic!("a path") };
    assert_eq!(path.path(), Path::new("new\nline"));
    assert!(keys(&case.list(false, &["a"])).contains(&"a/new\nline".to_owned()));
}

#[test]
fn a_very_deep_tree_costs_no_descriptors() {
    let case = Case::new();
    let deep = vec!["d"; 2000].join("/");
    case.write(&format!("a/{deep}/file"), "");
    assert_eq!(keys(&case.list(false, &["a"])), [format!("a/{deep}/file")]);
}

#[test]
fn an_unreadable_directory_is_named() {
    let case = Case::new();
    case.write("a/closed/file", "").write("a/open", "");
    let closed = case.dir.path().join("a/closed");
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o000)).expect("closed");
    let listing = case.list(false, &["a"]);
    // Root reads everything.
    let expected = if rustix::process::geteuid().is_root() { 2 } else { 1 };
    assert_eq!(keys(&listing).len(), expected);
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o700)).expect("opened");
}
