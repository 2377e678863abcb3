//! Pins: P-13, W-115; deploy/images/README.md.
//!
//! The images of `deploy/images`: what is in them, that they are what Prow and
//! ci-operator expect, and that they come out the same again.

use harness::images::{self, NAMES, name, succeed};
use harness::skip;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// Docker with our images, or the end of the test.
macro_rules! docker_or_skip {
    () => {
        if let Err(reason) = images::in_docker() {
            skip!("{reason}");
        }
    };
}

fn docker(words: &[&str]) -> String {
    succeed(Command::new("docker").args(words))
}

fn inspect(image: &str) -> Value {
    let text = docker(&["image", "inspect", &name(image)]);
    serde_json::from_str::<Value>(&text).expect("JSON")[0].take()
}

/// The files of an image as `tar` lists them: mode, owner, size, time, name.
fn listing(image: &str) -> String {
    let container = docker(&["create", "--network=none", &name(image)]);
    let container = container.trim();
    let list = format!("docker export {container} | TZ=UTC tar --list --verbose --full-time --numeric-owner");
    let text = succeed(Command::new("bash").args(["-o", "pipefail", "-c", &list]));
    docker(&["rm", container]);
    text
}

#[test]
fn images_run_as_root_by_default_and_carry_labels() {
    docker_or_skip!();
    for image in NAMES {
        let config = inspect(image)["Config"].take();
        assert!(config["User"].as_str().unwrap_or_default().is_empty(), "{image}: {config}");
        let label = |key: &str| config["Labels"][format!("org.opencontainers.image.{key}")].clone();
        assert_eq!(label("title"), image);
        assert_eq!(label("version"), env!("CARGO_PKG_VERSION"));
        for key in ["description", "revision", "created", "licenses"] {
            assert!(label(key).as_str().is_some_and(|text| !text.is_empty()), "{image}: {key}");
        }
    }
}

#[test]
fn image_entry_points_are_prows_paths() {
    docker_or_skip!();
    for (image, path) in [
        ("entrypoint", "/entrypoint"),
        ("sidecar", "/sidecar"),
        ("initupload", "/initupload"),
        ("gcsupload", "/gcsupload"),
        ("entrypoint-wrapper", "/bin/entrypoint-wrapper"),
    ] {
        assert_eq!(inspect(image)["Config"]["Entrypoint"], json!([path]), "{image}");
        // Whichever name a program has, it knows which one it is; as any user.
        let help = docker(&[
            "run",
            "--rm",
            "--network=none",
            "--read-only",
            "--user=1000:1000",
            &name(image),
            "--help",
        ]);
        let used = help.lines().find(|line| line.starts_with("Usage:")).unwrap_or_default().to_owned();
        assert!(used.starts_with(&format!("Usage: {image}")), "{image}: {help}");
    }
}

#[test]
fn wrapper_image_copies_itself_by_cp() {
    docker_or_skip!();
    let dir = tempfile::tempdir().expect("a directory");
    let volume = format!("{}:/tmp/entrypoint-wrapper", dir.path().display());
    let copy = ["/bin/entrypoint-wrapper", "/tmp/entrypoint-wrapper/entrypoint-wrapper"];
    let mut run = vec!["run", "--rm", "--network=none", "--volume", &volume, "--entrypoint=cp"];
    let image = name("entrypoint-wrapper");
    run.push(&image);
    docker(&[&run[..], &copy[..]].concat());
    let copied = std::fs::read(dir.path().join("entrypoint-wrapper")).expect("copied");
    assert!(copied == std::fs::read(images::programs().join("entrypoint-wrapper")).expect("a program"));
}

#[test]
fn images_hold_a_world_writable_tmp_and_nothing_of_the_build() {
    docker_or_skip!();
    let listing = listing("pod-utils");
    let line = |name: &str| {
        listing
            .lines()
            // Mode, owner, size, date, time, name, and perhaps where a link leads.
            .find(|line| line.split_whitespace().nth(5) == Some(name))
            .unwrap_or_else(|| panic!("no {name} in {listing}"))
            .to_owned()
    };
    assert!(line("tmp/").starts_with("drwxrwxrwt 0/0"), "{listing}");
    for program in ["entrypoint", "sidecar", "entrypoint-wrapper", "podutils"] {
        assert!(line(program).starts_with("-rwxr-xr-x 0/0"), "{listing}");
    }
    for link in ["initupload", "gcsupload"] {
        assert!(line(link).ends_with(&format!("{link} -> sidecar")), "{listing}");
    }
    let checkout = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let checkout = std::fs::canonicalize(checkout).expect("the checkout").display().to_string();
    for program in ["entrypoint", "sidecar", "entrypoint-wrapper", "podutils"] {
        let bytes = std::fs::read(images::programs().join(program)).expect("a program");
        let found = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(!found(&checkout), "{program} names the place of its checkout");
        assert!(!found("/.cargo/registry/"), "{program} names the place of cargo's sources");
    }
}

#[test]
fn same_programs_give_the_same_layers() {
    docker_or_skip!();
    let all: Vec<_> = NAMES.into_iter().chain(["s3-server"]).collect();
    let layers = |engine, options: &[&str]| {
        let printed = images::build(engine, &[options, &all[..]].concat());
        let layers = printed.lines().filter_map(|line| line.split_once(' '));
        layers.map(|(_, layers)| layers.to_owned()).collect::<Vec<_>>()
    };
    // Beside the images that other tests use at the same time.
    let again = ["--tag", "again"];
    let first = layers("docker", &[]);
    assert_eq!(layers("docker", &again), first);
    assert!(
        first.len() == all.len() && first.iter().all(|one| one.matches("sha256:").count() == 1),
        "{first:?}"
    );
    if images::in_podman().is_ok() {
        let ids = |tag: &str| {
            let images = all.iter().map(|image| format!("{}/{image}:{tag}", images::PREFIX));
            succeed(Command::new("podman").args(["image", "inspect", "--format", "{{.Id}}"]).args(images))
        };
        let first = layers("podman", &[]);
        assert_eq!(layers("podman", &again), first);
        assert_eq!(ids("again"), ids(env!("CARGO_PKG_VERSION")), "with podman even the images");
    }
}

/// The server's certificate is of an authority that only `SSL_CERT_FILE` names, in
/// an image without any.
#[test]
fn private_certificate_authority_is_trusted_by_ssl_cert_file() {
    docker_or_skip!();
    let dir = tempfile::tempdir().expect("a directory");
    let network = format!("pod-utils-{}", std::process::id());
    docker(&["network", "create", "--internal", &network]);
    let _network = Removed(["network", "rm"], network.clone());
    let volume = format!("{}:/data", dir.path().display());
    let keys = [
        "--env=AWS_ACCESS_KEY_ID=key",
        "--env=AWS_SECRET_ACCESS_KEY=secret-key",
        "--env=AWS_REGION=us-east-1",
    ];
    let server = docker(
        &[
            &["run", "--detach", "--network", &network, "--network-alias=s3.test", "--volume", &volume][..],
            &keys[..],
            &["--env=S3_TLS_NAME=s3.test", "--env=S3_BUCKETS=bucket", &name("s3-server"), "/data"],
        ]
        .concat(),
    );
    let server = Removed(["rm", "--force"], server.trim().to_owned());
    harness::wait::until("the server", || docker(&["logs", &server.1]).contains("listening").then_some(()));
    std::fs::write(dir.path().join("item.txt"), "delivered").expect("written");
    let credentials = json!({
        "region": "us-east-1", "endpoint": "https://s3.test:9000", "s3_force_path_style": true,
        "access_key": "key", "secret_key": "secret-key",
    });
    std::fs::write(dir.path().join("credentials.json"), credentials.to_string()).expect("written");
    let upload = |more: &[&str]| {
        let mut run = Command::new("docker");
        run.args(["run", "--rm", "--network", &network, "--volume", &volume]).args(more);
        run.arg(name("gcsupload")).args([
            "--dry-run=false",
            "--bucket=s3://bucket",
            "--job=job",
            "--job-type=periodic",
        ]);
        run.args(["--build-id=1", "--s3-credentials-file=/data/credentials.json", "/data/item.txt"]);
        run.output().expect("docker starts")
    };
    let refused = upload(&[]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let stored = dir.path().join("bucket/logs/job/1/item.txt");
    assert!(!stored.exists());
    let trusted = upload(&["--env=SSL_CERT_FILE=/data/ca.pem"]);
    assert_eq!(trusted.status.code(), Some(0), "{}", String::from_utf8_lossy(&trusted.stderr));
    assert_eq!(harness::pod::read(Path::new(&stored)), "delivered");
}

/// Removed at the end of a test.
struct Removed([&'static str; 2], String);

impl Drop for Removed {
    fn drop(&mut self) {
        // Without a check: a test that fails says why by itself.
        let _ = Command::new("docker").args(self.0).arg(&self.1).output();
    }
}
