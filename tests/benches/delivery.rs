//! Delivery by the shipped sidecar against rclone and, where it is installed,
//! upstream's sidecar: the same files, the same S3 server (`s3s-fs` on tmpfs, in
//! this process), in turns in one run.
//!
//! `cargo bench -p pod-utils-tests --bench delivery` builds the static `dist-unwind`
//! program and prints one Markdown table per question. `POD_UTILS_BIN_DIR` names
//! a directory of ready-made programs instead, `UPSTREAM_SIDECAR` upstream's
//! program, `EARLIER_SIDECAR` one of an earlier build, and arguments pick tables by
//! name: `small`, `large`, `huge`, `distant`, `distant-large`, `tls-small`, `tls-large`,
//! `many`, `empty`.

use harness::distance::Distance;
use harness::s3::{ACCESS_KEY, BUCKET, S3, SECRET_KEY};
use harness::wait;
use nix::sys::resource::{UsageWho, getrusage};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The time that passes in each direction to a distant store.
const ONE_WAY: Duration = Duration::from_millis(15);

/// How this program is started to measure one other program.
const MEASURE: &str = "--measure-one";

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|arg| arg == MEASURE) {
        return measure_one(&args[1..]);
    }
    let wanted = |name: &str| {
        let named: Vec<_> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
        named.is_empty() || named.iter().any(|arg| *arg == name)
    };
    let bench = Bench::new();
    println!("# Delivery\n");
    if wanted("small") {
        bench.compare("10,000 files of 4 KiB to S3", 3, (10_000, 4 << 10), Line::Near);
    }
    if wanted("large") {
        bench.compare("20 files of 100 MiB to S3", 2, (20, 100 << 20), Line::Near);
    }
    if wanted("huge") {
        bench.compare("one file of 2 GiB to S3", 2, (1, 2 << 30), Line::Near);
    }
    if wanted("distant") {
        bench.compare("10,000 files of 4 KiB, 30 ms away", 3, (10_000, 4 << 10), Line::Distant);
    }
    if wanted("distant-large") {
        bench.compare("20 files of 100 MiB, 30 ms away", 2, (20, 100 << 20), Line::Distant);
    }
    if wanted("tls-small") {
        bench.compare("10,000 files of 4 KiB over TLS", 3, (10_000, 4 << 10), Line::Tls);
    }
    if wanted("tls-large") {
        bench.compare("20 files of 100 MiB over TLS", 3, (20, 100 << 20), Line::Tls);
    }
    if wanted("many") {
        bench.many();
    }
    if wanted("empty") {
        bench.empty();
    }
}

/// Runs a program, and writes wall time, CPU time and peak memory of it alone.
fn measure_one(args: &[String]) {
    let start = Instant::now();
    let status = Command::new(&args[0]).args(&args[1..]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let wall = start.elapsed();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the usage of a child");
    let cpu = usage.user_time() + usage.system_time();
    let cpu = cpu.tv_sec() * 1_000_000 + cpu.tv_usec();
    assert!(status.expect("it starts").success(), "it failed");
    println!("{} {cpu} {}", wall.as_micros(), usage.max_rss());
}

/// The way to the server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    /// Loopback.
    Near,
    /// Loopback with [`ONE_WAY`] in each direction.
    Distant,
    /// Loopback, with TLS up to the server itself and a private CA.
    Tls,
}

/// Cost of one run.
#[derive(Clone, Copy)]
struct Cost {
    wall_s: f64,
    cpu_s: f64,
    peak_mib: f64,
}

struct Bench {
    sidecar: PathBuf,
    earlier: Option<PathBuf>,
    upstream: Option<PathBuf>,
    rclone: bool,
    scratch: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let upstream = std::env::var_os("UPSTREAM_SIDECAR").map(PathBuf::from).or_else(|| {
            let home = std::env::var_os("HOME").map(PathBuf::from)?;
            Some(home.join("go/bin/sidecar")).filter(|path| path.exists())
        });
        let rclone = Command::new("rclone").arg("version").env_remove("AWS_CA_BUNDLE").output().is_ok();
        if !rclone {
            println!("(rclone is not installed: left out)\n");
        }
        if upstream.is_none() {
            println!("(upstream's sidecar is not installed: left out)\n");
        }
        // What the server stores, and what is read, lies in memory.
        let scratch = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        let earlier = std::env::var_os("EARLIER_SIDECAR").map(PathBuf::from);
        Self { sidecar: sidecar(), earlier, upstream, rclone, scratch: scratch.expect("a directory") }
    }

    /// A directory with so many files of this size, and a pod that has ended.
    fn pod(&self, files: usize, bytes: usize) -> PathBuf {
        let dir = self.scratch.path().join("pod");
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(dir.join("artifacts")).expect("made");
        fs::write(dir.join("log.txt"), "output\n").expect("written");
        fs::write(dir.join("marker.txt"), "0").expect("written");
        for number in 0..files {
            let path = dir.join(format!("artifacts/{}", name(number)));
            let mut content = vec![0; bytes.min(1 << 20)];
            for (at, byte) in content.iter_mut().enumerate() {
                *byte = u8::try_from((at * 31 + at / 253 + number) % 251).expect("below 251");
            }
            let mut file = fs::File::create(path).expect("made");
            for _ in 0..bytes.div_ceil(1 << 20).max(1) {
                std::io::Write::write_all(&mut file, &content).expect("written");
            }
        }
        dir
    }

    fn compare(&self, title: &str, turns: usize, (files, bytes): (usize, usize), line: Line) {
        let dir = self.pod(files, bytes);
        let mut programs = vec![("sidecar", Vec::new())];
        if self.earlier.is_some() {
            programs.push(("the earlier build", Vec::new()));
        }
        if self.rclone {
            let transfers = match line {
                Line::Near | Line::Tls => "rclone, 16 transfers",
                Line::Distant => "rclone, 64 transfers",
            };
            programs.push((transfers, Vec::new()));
        }
        if self.upstream.is_some() {
            programs.push(("upstream's sidecar", Vec::new()));
        }
        for _ in 0..turns {
            for (program, costs) in &mut programs {
                let server = match line {
                    Line::Near | Line::Distant => S3::start_in(self.scratch.path()),
                    Line::Tls => S3::start_tls_in(self.scratch.path()),
                };
                let near = server.endpoint();
                let distance = (line == Line::Distant)
                    .then(|| Distance::to(near.trim_start_matches("http://"), ONE_WAY));
                let endpoint = distance.as_ref().map_or_else(|| near.to_owned(), Distance::endpoint);
                costs.extend(self.run(program, &dir, &server, &endpoint).inspect(|_| {
                    let stored = server.keys().iter().filter(|key| key.contains("file-")).count();
                    if stored != files {
                        println!("({program} stored {stored} of {files} files)\n");
                    }
                }));
            }
        }
        println!("## {title}, median of {turns} in turns\n");
        println!("| program | time | CPU | peak RSS |\n| --- | --- | --- | --- |");
        for (program, costs) in &programs {
            let median = |of: fn(&Cost) -> f64| {
                let mut all: Vec<f64> = costs.iter().map(of).collect();
                all.sort_by(f64::total_cmp);
                all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
            };
            let (wall, cpu, peak) = (median(|c| c.wall_s), median(|c| c.cpu_s), median(|c| c.peak_mib));
            println!("| {program} | {wall:.2} s | {cpu:.2} s | {peak:.1} MiB |");
        }
        println!();
    }

    fn run(&self, program: &str, dir: &Path, server: &S3, endpoint: &str) -> Option<Cost> {
        let mut command = Command::new(std::env::current_exe().expect("itself"));
        command.arg(MEASURE).env_remove("AWS_CA_BUNDLE");
        let ca = dir.join("ca.pem");
        fs::write(&ca, server.ca()).expect("written");
        match program {
            "sidecar" => {
                command.arg(&self.sidecar);
            }
            "the earlier build" => {
                command.arg(self.earlier.as_ref()?);
            }
            "upstream's sidecar" => {
                command.arg(self.upstream.as_ref()?);
            }
            rclone => {
                let transfers: u32 = rclone.split(' ').find_map(|word| word.parse().ok()).expect("a number");
                command.args(["rclone", "copy", "--s3-provider=Other", &format!("--transfers={transfers}")]);
                command.args(["--s3-force-path-style", "--s3-no-check-bucket", "--s3-region=us-east-1"]);
                command.arg(format!("--s3-endpoint={endpoint}"));
                command.arg(format!("--s3-access-key-id={ACCESS_KEY}"));
                command.arg(format!("--s3-secret-access-key={SECRET_KEY}"));
                command.arg(dir.join("artifacts")).arg(format!(":s3:{BUCKET}/logs"));
                if !server.ca().is_empty() {
                    command.arg("--ca-cert").arg(&ca);
                }
                // Its own configuration is nobody's business here.
                command.env("RCLONE_CONFIG", "/dev/null");
            }
        }
        if !server.ca().is_empty() && !program.starts_with("rclone") {
            command.env("AWS_CA_BUNDLE", &ca);
        }
        let mut upload = server.options(dir, &[dir.join("artifacts")]);
        upload["compress_file_types"] = json!([]);
        let file = upload["s3_credentials_file"].as_str().expect("a path").to_owned();
        let text = fs::read_to_string(&file).expect("the credentials file");
        fs::write(&file, text.replace(server.endpoint(), endpoint)).expect("written");
        pod_environment(&mut command, dir, &upload);
        cost(&mut command)
    }

    /// Memory for each file of many, in a local destination: the server is not
    /// what is asked about.
    fn many(&self) {
        const FILES: usize = 200_000;
        let peak = |files: usize| {
            let dir = self.pod(files, 0);
            let out = self.scratch.path().join("out");
            let upload = json!({
                "items": [dir.join("artifacts")], "bucket": format!("file://{}", out.display()),
                "path_strategy": "explicit", "dry_run": false,
            });
            let mut command = Command::new(std::env::current_exe().expect("itself"));
            command.arg(MEASURE).arg(&self.sidecar);
            pod_environment(&mut command, &dir, &upload);
            let cost = cost(&mut command).expect("it ran");
            let _ = fs::remove_dir_all(out);
            cost
        };
        let (few, many) = (peak(1_000), peak(FILES));
        let beyond = u32::try_from(FILES - 1_000).expect("it fits");
        let each = (many.peak_mib - few.peak_mib) * f64::from(1 << 20) / f64::from(beyond);
        let name = name(0).len();
        println!("## {FILES} empty files in one directory, to a local destination\n");
        println!("| peak RSS | CPU | bytes per file | beyond its name of {name} bytes |");
        println!("| --- | --- | --- | --- |");
        let name = f64::from(u32::try_from(name).expect("short"));
        println!("| {:.1} MiB | {:.2} s | {each:.0} | {:.0} |\n", many.peak_mib, many.cpu_s, each - name);
    }

    /// From the marker to the end of a sidecar that waits for it, with nothing to
    /// upload but the log.
    fn empty(&self) {
        println!("## Empty job to a local destination: marker to end, of 50\n");
        println!("| program | shortest | median |\n| --- | --- | --- |");
        for (program, path) in
            [("sidecar", Some(&self.sidecar)), ("upstream's sidecar", self.upstream.as_ref())]
        {
            let Some(path) = path else { continue };
            let dir = self.pod(0, 0);
            let out = self.scratch.path().join("out");
            let upload = json!({"items": [], "local_output_dir": out, "dry_run": false});
            let marker = dir.join("marker.txt");
            let mut times: Vec<Duration> = (0..50)
                .map(|_| {
                    // The pod comes with a marker; of a second run there may be none.
                    let _ = fs::remove_file(&marker);
                    let mut command = Command::new(path);
                    pod_environment(&mut command, &dir, &upload);
                    let mut sidecar =
                        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
                    // Until it waits for nothing but the marker.
                    let id = i32::try_from(sidecar.id()).ok().and_then(rustix::process::Pid::from_raw);
                    let pid = id.expect("a process");
                    wait::until("the watch", || harness::process::watches_files(pid).then_some(()));
                    fs::write(dir.join("written"), "0").expect("written");
                    let start = Instant::now();
                    fs::rename(dir.join("written"), &marker).expect("renamed");
                    assert!(sidecar.wait().expect("waited for").success(), "it failed");
                    start.elapsed()
                })
                .collect();
            times.sort();
            let [shortest, median] = [times[0], times[times.len() / 2]].map(|time| time.as_secs_f64() * 1e3);
            println!("| {program} | {shortest:.1} ms | {median:.1} ms |");
        }
        println!();
    }
}

fn name(number: usize) -> String {
    format!("file-{number:07}.dat")
}

fn pod_environment(command: &mut Command, dir: &Path, upload: &Value) {
    let options = json!({
        "gcs_options": upload,
        "entries": [{
            "args": ["true"], "container_name": "test", "process_log": dir.join("log.txt"),
            "marker_file": dir.join("marker.txt"), "metadata_file": dir.join("metadata.json"),
        }],
    });
    command.env("SIDECAR_OPTIONS", options.to_string());
    command.env("JOB_SPEC", r#"{"type":"periodic","job":"job","buildid":"1","prowjobid":"x"}"#);
}

fn cost(command: &mut Command) -> Option<Cost> {
    let output = command.stderr(Stdio::inherit()).output().expect("it starts");
    if !output.status.success() {
        println!("({command:?} failed)\n");
        return None;
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut numbers = text.split_whitespace().map(|number| number.parse::<f64>().expect("a number"));
    let mut next = || numbers.next().expect("three numbers");
    Some(Cost { wall_s: next() / 1e6, cpu_s: next() / 1e6, peak_mib: next() / 1024.0 })
}

/// The static program, built for this unless it is named.
fn sidecar() -> PathBuf {
    if let Some(dir) = std::env::var_os("POD_UTILS_BIN_DIR") {
        return PathBuf::from(dir).join("sidecar");
    }
    let triple = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned();
    let status = Command::new(env!("CARGO"))
        .args(["build", "--profile", "dist-unwind", "--target", &triple, "-p", "sidecar"])
        .current_dir(&root)
        .status()
        .expect("cargo runs");
    assert!(status.success(), "the dist build failed (is the target {triple} installed, and musl-gcc?)");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    target.join(triple).join("dist-unwind/sidecar")
}
