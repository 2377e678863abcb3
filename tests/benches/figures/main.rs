//! Whole-process figures of the shipped programs against public tools.
//!
//! `cargo bench -p pod-utils-tests --bench figures` builds the static `dist`
//! programs and prints one Markdown table per question. Everything that is
//! compared runs in turns in one run; ratios are what counts, because machines
//! are noisy. Peers that are not installed are left out with a line that says so;
//! upstream's entrypoint is one of them, and counts as installed where `go install
//! sigs.k8s.io/prow/cmd/entrypoint@latest` has put it.
//!
//! `censoring` or `history` as an argument prints only that table.
//! `POD_UTILS_BIN_DIR` names a directory of ready-made programs instead.

#![expect(clippy::cast_precision_loss, reason = "figures have three digits")]

use nix::sys::resource::{UsageWho, getrusage};
use std::fmt::Write as _;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

mod censoring;
mod history;

fn main() {
    if let [command, words @ ..] = std::env::args().skip(1).collect::<Vec<_>>().as_slice()
        && command == history::MEASURE
    {
        return history::measure(words);
    }
    let bins = Bins::find();
    if std::env::args().any(|arg| arg == "censoring") {
        let scratch = tempfile::tempdir_in("/dev/shm").expect("a scratch directory in memory");
        return censoring::table(&bins, scratch.path());
    }
    if std::env::args().any(|arg| arg == "history") {
        return history::table(&bins);
    }
    let scratch =
        tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a scratch directory");
    println!("# Figures\n");
    sizes_and_memory(&bins, scratch.path());
    start_up(&bins, scratch.path());
    pump(&bins, scratch.path());
    marker_latency(&bins, scratch.path());
    page(&bins, scratch.path());
    history::table(&bins);
    censoring::table(&bins, scratch.path());
}

/// The page of a job with many artifacts.
fn page(bins: &Bins, scratch: &Path) {
    println!("| page of a job | time | size |\n|---|---|---|");
    for (artifacts, log) in [(10_000, 1 << 20), (100_000, 1 << 30)] {
        let dir = scratch.join(format!("page-{artifacts}"));
        std::fs::create_dir(&dir).expect("made");
        harness::job::large_results(&dir, artifacts, log);
        let mut times = Vec::new();
        let mut size = 0;
        for _ in 0..21 {
            let mut command = Command::new(bins.path("podutils"));
            let began = Instant::now();
            let output = command.args(["show", "--html"]).arg(&dir).output().expect("runs");
            times.push(began.elapsed());
            size = output.stdout.len();
        }
        times.sort();
        println!(
            "| {artifacts} artifacts, log of {} MiB | {:.1} ms | {} KiB |",
            log >> 20,
            times[10].as_secs_f64() * 1e3,
            size >> 10
        );
    }
    println!();
}

/// The programs under measurement.
struct Bins {
    dir: PathBuf,
    upstream: Option<PathBuf>,
}

/// Builds what is shipped, and returns its directory.
fn shipped(root: &Path) -> PathBuf {
    let built = Command::new(root.join("deploy/images/build.sh")).arg("--programs-only").output();
    let built = built.expect("build.sh starts");
    assert!(built.status.success(), "the build failed: {}", String::from_utf8_lossy(&built.stderr));
    String::from_utf8_lossy(&built.stdout).trim().into()
}

impl Bins {
    fn find() -> Self {
        let upstream = upstream();
        if let Some(dir) = std::env::var_os("POD_UTILS_BIN_DIR") {
            return Self { dir: dir.into(), upstream };
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
        Self { dir: shipped(root), upstream }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

/// Where Go has installed upstream's entrypoint.
fn upstream() -> Option<PathBuf> {
    let answer = Command::new("go").args(["env", "GOBIN", "GOPATH"]).output();
    let text = answer.map(|answer| String::from_utf8_lossy(&answer.stdout).into_owned()).unwrap_or_default();
    let mut dirs = text.lines().map(PathBuf::from);
    let (bin, path) = (dirs.next().unwrap_or_default(), dirs.next().unwrap_or_default());
    let bin = if bin.as_os_str().is_empty() { path.join("bin") } else { bin };
    let found = Some(bin.join("entrypoint")).filter(|program| program.is_file());
    if found.is_none() {
        println!("(upstream's entrypoint is not installed: left out)\n");
    }
    found
}

/// Environment JSON for an entrypoint around `args` in `dir`.
fn entrypoint_options(dir: &Path, args: &[&str]) -> String {
    serde_json::json!({
        "args": args,
        "container_name": "test",
        // Upstream knows no defaults for JSON.
        "timeout": 3_600_000_000_000_u64,
        "grace_period": 15_000_000_000_u64,
        "process_log": dir.join("process-log.txt"),
        "marker_file": dir.join("marker-file.txt"),
    })
    .to_string()
}

fn installed(program: &str) -> bool {
    let found =
        Command::new("sh").args(["-c", &format!("command -v {program}")]).stdout(Stdio::null()).status();
    let found = found.is_ok_and(|status| status.success());
    if !found {
        println!("({program} is not installed: left out)\n");
    }
    found
}

fn sizes_and_memory(bins: &Bins, scratch: &Path) {
    let mut table = String::from("| program | file size | idle RSS | threads |\n|---|---|---|---|\n");
    let mut row = |name: &str, file: Option<&Path>, command: &mut Command| {
        let size =
            file.and_then(|file| file.metadata().ok()).map(|meta| format!("{} KiB", meta.len() / 1024));
        let (rss, threads) = idle(command);
        let _ = writeln!(table, "| {name} | {} | {rss} KiB | {threads} |", size.unwrap_or_default());
    };
    let entrypoint = bins.path("entrypoint");
    row(
        "entrypoint",
        Some(&entrypoint),
        Command::new(&entrypoint).env("ENTRYPOINT_OPTIONS", entrypoint_options(scratch, &["sleep", "60"])),
    );
    if let Some(upstream) = &bins.upstream {
        let mut command = Command::new(upstream);
        command.env("ENTRYPOINT_OPTIONS", entrypoint_options(scratch, &["sleep", "60"]));
        row("upstream's entrypoint", Some(upstream), &mut command);
    }
    let sidecar = bins.path("sidecar");
    let options = serde_json::json!({
        "gcs_options": {"items": [], "local_output_dir": scratch.join("out"), "dry_run": false},
        "entries": [{"process_log": scratch.join("none.txt"), "marker_file": scratch.join("never.txt"), "metadata_file": ""}],
        "ignore_interrupts": true,
    });
    row(
        "sidecar (waiting, local)",
        Some(&sidecar),
        Command::new(&sidecar).env("SIDECAR_OPTIONS", options.to_string()),
    );
    let wrapper = bins.path("entrypoint-wrapper");
    row("entrypoint-wrapper", Some(&wrapper), Command::new(&wrapper).args(["sleep", "60"]));
    for peer in ["tini", "dumb-init"] {
        if installed(peer) {
            row(peer, None, Command::new(peer).args(["--", "sleep", "60"]));
        }
    }
    println!("## Size and idle memory\n\n{table}");
}

/// Resident set in KiB and thread count of a command that has settled.
fn idle(command: &mut Command) -> (u64, u64) {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
    std::thread::sleep(Duration::from_millis(500));
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let field = |name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .and_then(|rest| rest.split_whitespace().next())
            .and_then(|number| number.parse().ok())
            .unwrap_or(0)
    };
    let figures = (field("VmRSS:"), field("Threads:"));
    end(&mut child);
    figures
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

fn start_up(bins: &Bins, scratch: &Path) {
    let entrypoint = bins.path("entrypoint");
    let wrapper = bins.path("entrypoint-wrapper");
    let options = entrypoint_options(scratch, &["/bin/true"]);
    let mut candidates: Vec<(&str, Command)> = vec![("/bin/true alone", Command::new("/bin/true"))];
    let mut with_options = Command::new(&entrypoint);
    with_options.env("ENTRYPOINT_OPTIONS", options);
    candidates.push(("entrypoint", with_options));
    if let Some(upstream) = &bins.upstream {
        let mut command = Command::new(upstream);
        command.env("ENTRYPOINT_OPTIONS", entrypoint_options(scratch, &["/bin/true"]));
        candidates.push(("upstream's entrypoint", command));
    }
    let mut forwarding = Command::new(&wrapper);
    forwarding.arg("/bin/true");
    candidates.push(("entrypoint-wrapper", forwarding));
    for (peer, args) in [
        ("tini", &["--", "/bin/true"][..]),
        ("dumb-init", &["--", "/bin/true"]),
        ("timeout", &["60", "/bin/true"]),
    ] {
        if installed(peer) {
            let mut command = Command::new(peer);
            command.args(args);
            candidates.push((peer, command));
        }
    }
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); candidates.len()];
    for _ in 0..400 {
        for (index, (name, command)) in candidates.iter_mut().enumerate() {
            // Each run finds an empty log volume, as in a pod.
            empty(scratch);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let start = Instant::now();
            let status = command.status().expect("starts");
            times[index].push(start.elapsed());
            assert!(status.success(), "{name} failed: {status}");
        }
    }
    let bare = median(&mut times[0]);
    println!(
        "## Time added to `/bin/true` (median of 400 runs in turns)\n\n| program | whole | added |\n|---|---|---|"
    );
    for (index, (name, _)) in candidates.iter().enumerate() {
        let whole = median(&mut times[index]);
        println!("| {name} | {} | {} |", millis(whole), millis(whole.saturating_sub(bare)));
    }
    println!();
}

fn empty(dir: &Path) {
    let paths = std::fs::read_dir(dir).expect("listed").map(|entry| entry.expect("an entry").path());
    for file in paths.filter(|path| path.is_file()) {
        std::fs::remove_file(file).expect("removed");
    }
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

/// Bytes that the pump benchmark sends.
const PUMPED: u64 = 512 << 20;

fn pump(bins: &Bins, scratch: &Path) {
    // Writes blocks as large as a pipe takes at once.
    let produce = format!("dd if=/dev/zero bs=256k count={} status=none", PUMPED >> 18);
    let entrypoint = bins.path("entrypoint");
    let log = scratch.join("tee.log");
    let mut candidates: Vec<(&str, Command)> = Vec::new();
    let mut command = Command::new(&entrypoint);
    command.env("ENTRYPOINT_OPTIONS", entrypoint_options(scratch, &["sh", "-c", &produce]));
    candidates.push(("entrypoint", command));
    if let Some(upstream) = &bins.upstream {
        let mut command = Command::new(upstream);
        command.env("ENTRYPOINT_OPTIONS", entrypoint_options(scratch, &["sh", "-c", &produce]));
        candidates.push(("upstream's entrypoint", command));
    }
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{produce} | tee {}", log.display())]);
    candidates.push(("tee", command));
    let mut walls: Vec<Vec<Duration>> = vec![Vec::new(); candidates.len()];
    let mut cpus: Vec<Vec<Duration>> = vec![Vec::new(); candidates.len()];
    for _ in 0..7 {
        for (index, (name, command)) in candidates.iter_mut().enumerate() {
            let before = children_cpu();
            let start = Instant::now();
            let mut child = command
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::inherit())
                .spawn()
                .expect("starts");
            let mut stdout = child.stdout.take().expect("piped");
            let mut buffer = vec![0; 1 << 20];
            let mut read = 0;
            loop {
                match stdout.read(&mut buffer).expect("readable") {
                    0 => break,
                    n => read += n as u64,
                }
            }
            assert!(child.wait().expect("waited").success());
            walls[index].push(start.elapsed());
            cpus[index].push(children_cpu().saturating_sub(before));
            assert_eq!(read, PUMPED, "{name} lost output");
        }
    }
    println!("## Pump: 512 MiB to a log on tmpfs and a pipe reader (median of 7 runs in turns)\n");
    println!("| program | GB/s | CPU, producer included |\n|---|---|---|");
    for (index, (name, _)) in candidates.iter().enumerate() {
        let wall = median(&mut walls[index]).as_secs_f64();
        let rate = f64::from(u32::try_from(PUMPED).unwrap_or(u32::MAX)) / wall / 1e9;
        println!("| {name} | {rate:.2} | {} |", millis(median(&mut cpus[index])));
    }
    println!();
    let _ = std::fs::remove_file(log);
}

fn children_cpu() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("own usage");
    let total = usage.user_time() + usage.system_time();
    Duration::from_micros(u64::try_from(total.tv_sec() * 1_000_000 + total.tv_usec()).unwrap_or(0))
}

/// From the child's last act to the marker's appearance, seen by polling as
/// fast as one core can.
fn marker_latency(bins: &Bins, scratch: &Path) {
    let entrypoint = bins.path("entrypoint");
    let marker = scratch.join("marker-file.txt");
    let flag = scratch.join("exiting");
    let script = format!("exec 3>{}; exit 0", flag.display());
    let mut times = Vec::new();
    for _ in 0..200 {
        let _ = std::fs::remove_file(&flag);
        let _ = std::fs::remove_file(&marker);
        let mut child = Command::new(&entrypoint)
            .env("ENTRYPOINT_OPTIONS", entrypoint_options(scratch, &["sh", "-c", &script]))
            .stdout(Stdio::null())
            .spawn()
            .expect("starts");
        while !flag.exists() {}
        let start = Instant::now();
        while !marker.exists() {}
        times.push(start.elapsed());
        child.wait().expect("waited");
    }
    println!(
        "## The child's exit → marker visible (tmpfs, median of 200)\n\n{}\n",
        millis(median(&mut times))
    );
}
