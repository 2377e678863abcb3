//! Object stores of other makers: real servers, each with one bucket.
//!
//! `tests/campaign/stores/install.sh` installs them into a directory, which
//! `POD_UTILS_STORES_DIR` names; what is not there is looked for in `PATH` and among
//! Go's programs.

use crate::pod::{Entry, Pod};
use crate::port::Port;
use crate::process::{self, Running};
use crate::wait;
use common::signal::Signal;
use serde_json::{Value, json};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The one bucket. Some emulators do not know a name with a hyphen again when it comes
/// percent-encoded.
pub const BUCKET: &str = "ci-results";

/// The access key of stores that do not insist on another one.
const ACCESS_KEY: &str = "AKIAPODUTILSTEST";
/// Its secret key.
const SECRET_KEY: &str = "the-secret-key-of-the-test-server";

/// The account that every Azurite knows.
pub const AZURITE_ACCOUNT: &str = "devstoreaccount1";
/// Its key.
pub const AZURITE_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// A provider, as a client sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// Amazon's.
    S3,
    /// Google's.
    Google,
    /// Azure's.
    Azure,
}

/// The stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// S3 over a directory, from the Go module proxy.
    Versitygw,
    /// `rclone serve s3` over a directory, from the Go module proxy.
    Rclone,
    /// `moto_server`, from Python's package index.
    Moto,
    /// Adobe's, from Maven Central.
    S3Mock,
    /// S3 over a directory, from Maven Central.
    S3Proxy,
    /// An S3 server of npm, which knows no conditions.
    S3rver,
    /// Ceph's gateway, which `tests/campaign/stores/rgw.sh` starts.
    Rgw,
    /// Azure's emulator, from npm.
    Azurite,
    /// From the Go module proxy.
    FakeGcs,
    /// From Python's package index.
    GcpEmulator,
}

impl Kind {
    /// Its name, as people and packages call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Versitygw => "versitygw",
            Self::Rclone => "rclone",
            Self::Moto => "moto",
            Self::S3Mock => "s3mock",
            Self::S3Proxy => "s3proxy",
            Self::S3rver => "s3rver",
            Self::Rgw => "rgw",
            Self::Azurite => "azurite",
            Self::FakeGcs => "fake-gcs-server",
            Self::GcpEmulator => "gcp-storage-emulator",
        }
    }

    /// The provider whose API it has.
    pub fn api(self) -> Api {
        match self {
            Self::Azurite => Api::Azure,
            Self::FakeGcs | Self::GcpEmulator => Api::Google,
            Self::Versitygw
            | Self::Rclone
            | Self::Moto
            | Self::S3Mock
            | Self::S3Proxy
            | Self::S3rver
            | Self::Rgw => Api::S3,
        }
    }

    /// The bucket as a destination.
    pub fn bucket(self) -> String {
        let scheme = match self.api() {
            Api::S3 => "s3",
            Api::Google => "gs",
            Api::Azure => "az",
        };
        format!("{scheme}://{BUCKET}")
    }

    /// Access key and secret key.
    pub fn keys(self) -> (&'static str, &'static str) {
        match self {
            Self::S3rver => ("S3RVER", "S3RVER"),
            Self::Azurite => (AZURITE_ACCOUNT, AZURITE_KEY),
            Self::Versitygw
            | Self::Rclone
            | Self::Moto
            | Self::S3Mock
            | Self::S3Proxy
            | Self::Rgw
            | Self::FakeGcs
            | Self::GcpEmulator => (ACCESS_KEY, SECRET_KEY),
        }
    }

    /// The server's command, or what is missing for it.
    fn command(self, port: u16, dir: &Path) -> Result<Command, String> {
        let address = format!("127.0.0.1:{port}");
        let (access, secret) = self.keys();
        let root = dir.join("objects");
        std::fs::create_dir_all(&root).expect("a directory");
        let on = |program: &str, args: &[&str]| {
            let mut command = Command::new(found(program)?);
            command.args(args).current_dir(dir);
            Ok::<_, String>(command)
        };
        let root = root.to_str().expect("a name of ours");
        let port = port.to_string();
        Ok(match self {
            Self::Versitygw => {
                on("versitygw", &["--access", access, "--secret", secret, "--port", &address, "posix", root])?
            }
            Self::Rclone => {
                let keys = format!("{access},{secret}");
                let args = ["serve", "s3", "--config", "", "--addr", &address, "--auth-key", &keys, root];
                let mut command = on("rclone", &args)?;
                // With this variable it does not start.
                command.env_remove("AWS_CA_BUNDLE");
                command
            }
            Self::Moto => on("moto_server", &["-H", "127.0.0.1", "-p", &port])?,
            Self::S3Mock => {
                let http = format!("--com.adobe.testing.s3mock.httpPort={port}");
                on("java", &["-jar", &jar("s3mock")?, &http, "--server.port=0"])?
            }
            Self::S3Proxy => {
                let settings = format!(
                    "s3proxy.authorization=aws-v2-or-v4\ns3proxy.identity={access}\ns3proxy.credential={secret}\n\
                     s3proxy.endpoint=http://{address}\njclouds.provider=filesystem-nio2\n\
                     jclouds.filesystem.basedir={root}\n"
                );
                std::fs::write(dir.join("s3proxy.properties"), settings).expect("written");
                on("java", &["-jar", &jar("s3proxy")?, "--properties", "s3proxy.properties"])?
            }
            Self::S3rver => on("s3rver", &["-a", "127.0.0.1", "-p", &port, "-d", root])?,
            Self::Rgw => return Err("rgw.sh did not start it".to_owned()),
            Self::Azurite => on(
                "azurite-blob",
                &["--inMemoryPersistence", "--skipApiVersionCheck", "--silent", "--blobPort", &port],
            )?,
            Self::FakeGcs => {
                let public = format!("-public-host={address}");
                let port = format!("-port={port}");
                let fixed = ["-scheme=http", "-host=127.0.0.1", "-backend=memory", "-log-level=error"];
                on("fake-gcs-server", &[&fixed[..], &[port.as_str(), public.as_str()]].concat())?
            }
            Self::GcpEmulator => {
                let (port, bucket) = (format!("--port={port}"), format!("--default-bucket={BUCKET}"));
                let args = ["start", "--host=127.0.0.1", "--in-memory", &bucket, &port];
                on("gcp-storage-emulator", &args)?
            }
        })
    }
}

/// A running store. Its bucket is there where the server makes it by itself.
#[derive(Debug)]
pub struct Server {
    /// The kind of store.
    pub kind: Kind,
    endpoint: String,
    pod: Pod,
    _running: Option<(Running, Port)>,
}

impl Server {
    /// Starts a store; an error names what is missing.
    pub fn start(kind: Kind) -> Result<Self, String> {
        let pod = Pod::new();
        if kind == Kind::Rgw {
            let endpoint =
                std::env::var("POD_UTILS_RGW").map_err(|_| "rgw.sh did not start it".to_owned())?;
            return Ok(Self { kind, endpoint, pod, _running: None });
        }
        let port = Port::take();
        let mut running = process::start(pod.tree(), &mut kind.command(port.number(), &pod.path(""))?);
        until_listening(&mut running, &port);
        let endpoint = format!("http://127.0.0.1:{}", port.number());
        Ok(Self { kind, endpoint, pod, _running: Some((running, port)) })
    }

    /// `http://127.0.0.1:<port>`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// A directory and a tree for clients of it.
    pub fn pod(&self) -> &Pod {
        &self.pod
    }

    /// `gcs_options` and variables with which our programs find it at `endpoint`, its own
    /// or that of something in between.
    pub fn found_by(&self, endpoint: &str) -> (Value, Vec<(&'static str, String)>) {
        let (access, secret) = self.kind.keys();
        let mut options = json!({
            "local_output_dir": "", "bucket": self.kind.bucket(), "path_strategy": "explicit", "dry_run": false,
        });
        let variables = match self.kind.api() {
            Api::S3 => {
                let file =
                    self.pod.path(&format!("s3-{}.json", endpoint.rsplit(':').next().unwrap_or_default()));
                let credentials = json!({
                    "region": "us-east-1", "endpoint": endpoint, "insecure": endpoint.starts_with("http:"),
                    "s3_force_path_style": true, "access_key": access, "secret_key": secret,
                });
                std::fs::write(&file, credentials.to_string()).expect("written");
                options["s3_credentials_file"] = json!(file);
                Vec::new()
            }
            Api::Google => vec![("STORAGE_EMULATOR_HOST", endpoint.trim_start_matches("http://").to_owned())],
            Api::Azure => {
                let connection =
                    format!("AccountName={access};AccountKey={secret};BlobEndpoint={endpoint}/{access}");
                vec![("AZURE_STORAGE_CONNECTION_STRING", connection)]
            }
        };
        (options, variables)
    }
}

/// A program of the stores' directory, of `PATH` or of Go.
pub fn found(program: &str) -> Result<PathBuf, String> {
    let mut places = Vec::new();
    if let Some(dir) = std::env::var_os("POD_UTILS_STORES_DIR").map(PathBuf::from) {
        places.extend(["bin", "py/bin", "node_modules/.bin"].map(|bin| dir.join(bin)));
    }
    places.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    places.push("/usr/sbin".into());
    places.extend(std::env::home_dir().map(|home| home.join("go/bin")));
    let mut programs = places.into_iter().map(|place| place.join(program));
    let found = programs.find(|program| program.is_file());
    found
        .and_then(|program| std::path::absolute(program).ok())
        .ok_or_else(|| format!("there is no {program}"))
}

fn jar(name: &str) -> Result<String, String> {
    let dir = std::env::var_os("POD_UTILS_STORES_DIR").map(PathBuf::from).unwrap_or_default();
    let jar = dir.join(format!("jars/{name}.jar"));
    if jar.is_file() { Ok(jar.display().to_string()) } else { Err(format!("there is no {}", jar.display())) }
}

/// Waits until a server listens on a port.
#[track_caller]
pub fn until_listening(server: &mut Running, port: &Port) {
    // Java's take minutes on a busy machine.
    let listening = wait::within(wait::PATIENCE * 5, || {
        assert!(!server.has_ended(), "it ended: {server:#?}");
        TcpStream::connect(("127.0.0.1", port.number())).ok()
    });
    assert!(listening.is_some(), "it does not listen: {server:#?}");
}

/// A job whose test goes on until the file `end` is there, and its sidecar, which has
/// been told to stop and has stored a provisional result.
#[track_caller]
pub fn stopped(pod: &Pod, entry: &Entry, sidecar: &mut Command) -> (Running, Running) {
    let script = format!("echo ready; while [ ! -e '{}' ]; do sleep 0.05; done", pod.path("end").display());
    let test = pod.entrypoint(entry, &["sh", "-c", &script], json!({}));
    entry.until_log("ready");
    let mut sidecar = process::start(pod.tree(), sidecar);
    let pid = sidecar.pid();
    wait::until("sidecar to watch files", || process::watches_files(pid).then_some(()));
    sidecar.signal(Signal::TERM);
    sidecar.until_stderr("Best-effort upload was successful");
    (test, sidecar)
}
