//! Known values after several readings.

use super::*;
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;

fn options(directory: &Path, minimum: i64) -> CensoringOptions {
    CensoringOptions {
        secret_directories: vec![directory.display().to_string()],
        minimum_secret_length: Some(minimum),
        structured_filenames: vec!["kubeconfig".to_owned()],
        ..CensoringOptions::default()
    }
}

fn known(secrets: &Secrets) -> Vec<String> {
    secrets.known.keys().map(|value| String::from_utf8_lossy(&value.0).into_owned()).collect()
}

fn unmasked(secrets: &Secrets) -> Vec<String> {
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    secrets.unmasked().map(name).collect()
}

#[test]
fn what_was_seen_before_stays_known() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut secrets = Secrets::new(&options(dir.path(), 0), &[]);
    fs::write(dir.path().join("key"), "old").expect("written");
    assert!(secrets.read());
    assert!(!secrets.read(), "nothing is new");
    fs::write(dir.path().join("key"), "new").expect("written");
    assert!(secrets.read());
    fs::remove_file(dir.path().join("key")).expect("removed");
    assert!(!secrets.read());
    assert_eq!(known(&secrets), ["new", "old"]);
}

#[test]
fn what_is_not_masked_is_listed_by_file_and_never_by_value() {
    let dir = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).expect("written");
    write("long", "long enough");
    write("short", "ab\n");
    write("bool", " True ");
    write("blank", " \n");
    write(".dockercfg", r#"{"registry":{"password":"pw","auth":"auth"}}"#);
    write("kubeconfig", "insecure: true\nusers: [{token: the-token}]\n");
    let mut secrets = Secrets::new(&options(dir.path(), 3), &[]);
    secrets.read();
    assert_eq!(unmasked(&secrets), [".dockercfg", "bool", "short"]);
    assert_eq!(secrets.count(), 5);
    write("kubeconfig", "apiVersion: v1\n");
    secrets.read();
    assert_eq!(unmasked(&secrets), [".dockercfg", "bool", "kubeconfig", "short"]);
    assert_eq!(format!("{secrets:?}"), "Secrets { known: 6, .. }");
}

#[test]
fn a_job_adds_values_within_bounds() {
    let dir = tempfile::tempdir().expect("a directory");
    let added = dir.path().join("logs/secrets");
    let mut secrets = Secrets::new(&options(&added, 0), &[dir.path().join("logs")]);
    assert!(!secrets.read() && secrets.problems().is_empty(), "it need not exist yet");
    fs::create_dir_all(added.join("directory")).expect("made");
    fs::write(dir.path().join("outside"), "outside the volume").expect("written");
    fs::write(added.join("directory/nested"), "nested value").expect("written");
    fs::write(added.join("good"), "added value\n").expect("written");
    fs::write(added.join("short"), "1234567").expect("written");
    fs::write(added.join("kubeconfig"), "token: not parsed").expect("written");
    symlink("../../outside", added.join("link")).expect("linked");
    rustix::fs::mknodat(rustix::fs::CWD, added.join("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0)
        .expect("made");
    assert!(secrets.read());
    assert_eq!(known(&secrets), ["added value\n", "token: not parsed"]);
    assert_eq!(unmasked(&secrets), ["short"]);
    let refused: Vec<_> = secrets.problems().iter().map(|problem| problem.path.clone()).collect();
    let path = |name: &str| added.join(name).display().to_string();
    assert_eq!(refused, [path("directory"), path("link"), path("pipe")]);
}

#[test]
fn a_job_cannot_make_the_program_read_through_a_link_in_the_place_of_its_directory() {
    let dir = tempfile::tempdir().expect("a directory");
    let volume = dir.path().join("logs");
    fs::create_dir(&volume).expect("made");
    fs::create_dir(dir.path().join("outside")).expect("made");
    fs::write(dir.path().join("outside/file"), "outside the volume").expect("written");
    symlink("../outside", volume.join("secrets")).expect("linked");
    let mut secrets = Secrets::new(&options(&volume.join("secrets"), 0), &[volume]);
    assert!(!secrets.read());
    assert_eq!(secrets.problems().len(), 1);
}

#[test]
fn a_job_cannot_add_without_end() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut secrets = Secrets::new(&options(dir.path(), 0), &[dir.path().to_owned()]);
    let write = |name: &str, text: &[u8]| fs::write(dir.path().join(name), text).expect("written");
    write("0-large", &vec![b'l'; 900 << 10]);
    write("1-large", &vec![b'L'; 900 << 10]);
    secrets.read();
    let problems = |secrets: &Secrets| {
        secrets
            .problems()
            .iter()
            .map(|problem| problem.path.split('/').next_back().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!((secrets.count(), problems(&secrets)), (1, vec!["0-large".to_owned(), "1-large".to_owned()]));
    for round in 0..3 {
        for number in 0..600 {
            write(&format!("f{number}"), format!("value {round} {number}").as_bytes());
        }
        secrets.read();
    }
    assert_eq!(secrets.count(), 1000, "over all readings together");
    assert!(secrets.problems().len() >= 600);
    assert!(!secrets.are_too_many());
}

#[test]
fn i8_no_more_is_read_of_the_jobs_files_than_it_may_add_twice() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut secrets = Secrets::new(&options(dir.path(), 0), &[dir.path().to_owned()]);
    for number in 0..100 {
        let file = fs::File::create(dir.path().join(format!("{number:03}"))).expect("made");
        (&file).write_all(format!("large value {number}").as_bytes()).expect("written");
        file.set_len(1 << 20).expect("grown");
    }
    for _ in 0..2 {
        secrets.read();
        let count = |reason: &str| {
            secrets.problems().iter().filter(|problem| problem.reason.ends_with(reason)).count()
        };
        assert_eq!(secrets.count(), 1);
        assert_eq!([count("and as base64"), count("not masked"), count("not read")], [1, 1, 98]);
        assert!(!secrets.are_too_many(), "the operator's values are still looked for");
    }
}

#[test]
fn i8_problems_that_a_job_causes_are_counted_and_hide_none_of_the_operators() {
    let dir = tempfile::tempdir().expect("a directory");
    let (own, operators) = (dir.path().join("logs/secrets"), dir.path().join("secrets"));
    fs::create_dir_all(&own).expect("made");
    for number in 0..3000 {
        symlink("none", own.join(format!("{number:04}"))).expect("linked");
    }
    let secret_directories = [&own, &operators].map(|path| path.display().to_string()).to_vec();
    let options = CensoringOptions { secret_directories, ..CensoringOptions::default() };
    let mut secrets = Secrets::new(&options, &[dir.path().join("logs")]);
    secrets.read();
    let problems = secrets.problems();
    assert_eq!(problems.len(), MAX_PROBLEMS + 1);
    assert_eq!(problems[0].path, operators.display().to_string());
    assert_eq!(problems[MAX_PROBLEMS].reason, "2001 more of its files could not be loaded");
}

#[test]
fn value_that_the_operator_adds_after_the_job_has_all_forms() {
    let dir = tempfile::tempdir().expect("a directory");
    let (own, operators) = (dir.path().join("logs/secrets"), dir.path().join("secrets"));
    fs::create_dir_all(&own).expect("made");
    fs::create_dir_all(&operators).expect("made");
    let value = "some value ".repeat(80_000);
    fs::write(own.join("large"), &value).expect("written");
    let secret_directories = [&own, &operators].map(|path| path.display().to_string()).to_vec();
    let options = CensoringOptions { secret_directories, ..CensoringOptions::default() };
    let mut secrets = Secrets::new(&options, &[dir.path().join("logs")]);
    assert!(secrets.read());
    assert_eq!((secrets.forms().count(), secrets.problems().len()), (3, 1));
    fs::write(operators.join("large"), &value).expect("written");
    assert!(secrets.read(), "there are more forms to look for");
    assert!(secrets.forms().count() > 3);
    assert!(secrets.problems().is_empty() && !secrets.read());
}

#[test]
fn white_space_of_unicode_is_cut() {
    assert_eq!(trim("\u{a0} x\u{2003}\n".as_bytes()), b"x");
    assert_eq!(trim(b" \xff "), b"\xff");
}
