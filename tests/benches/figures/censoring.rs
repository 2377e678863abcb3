//! Cost of censoring: a whole sidecar with one large log.

use super::{Bins, children_cpu};
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// The log of the censoring figures, in MiB.
const CENSORED_MIB: usize = 512;

/// Sidecar from its start to its end, with one large log for a local directory.
pub(super) fn table(bins: &Bins, scratch: &Path) {
    let log = scratch.join("censored-log.txt");
    write_log(&log);
    std::fs::write(scratch.join("censored-marker.txt"), "0").expect("written");
    let mut table = String::from("| secrets | GB/s | CPU |\n|---|---|---|\n");
    for count in [0_usize, 5, 50, 500, 5000] {
        let secrets = scratch.join(format!("secrets-{count}"));
        std::fs::create_dir(&secrets).expect("made");
        for number in 0..count {
            let length = 16 + number * 37 % 185;
            std::fs::write(secrets.join(number.to_string()), token(number as u64, length)).expect("written");
        }
        let options = serde_json::json!({
            "gcs_options": {"items": [], "local_output_dir": scratch.join("out"), "dry_run": false},
            "entries": [{"process_log": log, "marker_file": scratch.join("censored-marker.txt"), "metadata_file": ""}],
            "censoring_options": {"secret_directories": [secrets]},
        });
        let mut command = Command::new(bins.path("sidecar"));
        command.env("SIDECAR_OPTIONS", options.to_string()).stderr(Stdio::null());
        let mut best = (f64::INFINITY, f64::INFINITY);
        for _ in 0..5 {
            let (began, cpu) = (Instant::now(), children_cpu());
            assert!(command.status().expect("starts").success());
            best = (
                best.0.min(began.elapsed().as_secs_f64()),
                best.1.min(children_cpu().saturating_sub(cpu).as_secs_f64()),
            );
            std::fs::remove_dir_all(scratch.join("out")).expect("removed");
        }
        let size = (CENSORED_MIB << 20) as f64 / 1e9;
        let _ = writeln!(table, "| {count} | {:.2} | {:.2} s |", size / best.0, best.1);
    }
    println!("## {CENSORED_MIB} MiB of log, whole process to a local directory in memory\n\n{table}");
    std::fs::remove_file(log).expect("removed");
}

/// A token that is the same in every run (xorshift64*).
fn token(seed: u64, length: usize) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        char::from(LETTERS[(state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 58) as usize])
    };
    (0..length).map(|_| next()).collect()
}

/// Lines of different lengths with times and hashes.
fn write_log(path: &Path) {
    let mut block = String::with_capacity(1 << 20);
    let mut line = 0;
    while block.len() < 1 << 20 {
        line += 1;
        let hash = token(line, 12 + (line % 40) as usize);
        let _ = writeln!(
            block,
            "2026-03-11T08:{:02}:{:02}.{line:09}Z I0311 controller.go:217] reconcile pod default/test-runner {hash} ok",
            line / 60 % 60,
            line % 60
        );
    }
    block.truncate(1 << 20);
    let mut file = std::fs::File::create(path).expect("made");
    for _ in 0..CENSORED_MIB {
        std::io::Write::write_all(&mut file, block.as_bytes()).expect("written");
    }
}
