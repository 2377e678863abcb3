//! Pins: sidecar/README.md, "The sentences".
//!
//! One true sentence: however a job ends, `finished.json`, the end of the build log, the
//! termination messages of both containers, `podutils show` and its page, and the terminal
//! of `podutils run` say the same.

mod special;
mod table;

use crate::podutils::run::Desk;
use common::signal::Signal;
use harness::job::Job;
use harness::pod::{Entry, read};
use harness::process::Running;
use harness::{bins, process};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use table::{Ending, How, endings};

/// The files that get the termination messages of entrypoint and sidecar.
struct Messages([PathBuf; 2]);

impl Messages {
    fn new(job: &Job) -> Self {
        let paths = ["entrypoint-message", "sidecar-message"].map(|name| job.pod.path(name));
        for path in &paths {
            fs::write(path, "").expect("made");
        }
        Self(paths)
    }

    /// Options of sidecar.
    fn of_sidecar(&self) -> Value {
        json!({"delivery": {"termination_message_path": self.0[1]}})
    }

    /// Options of entrypoint.
    fn of_entrypoint(&self) -> Value {
        json!({"supervision": {"termination_message_path": self.0[0]}})
    }

    fn entrypoints(&self) -> String {
        read(&self.0[0])
    }

    fn sidecars(&self) -> String {
        read(&self.0[1])
    }
}

fn laid_over(mut options: Value, more: Value) -> Value {
    harness::pod::overlay(&mut options, more);
    options
}

/// Makes the files that are no programs.
fn lay_out_programs(dir: &Path) {
    fs::write(dir.join("plain-file"), "#!/bin/sh\n").expect("written");
    fs::create_dir(dir.join("directory")).expect("made");
    // An executable of a machine that nobody has: number 0xfffe.
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xfe\xff\x01\0\0\0".to_vec();
    elf.resize(128, 0);
    fs::write(dir.join("other-machine"), elf).expect("written");
    fs::set_permissions(dir.join("other-machine"), PermissionsExt::from_mode(0o755)).expect("its mode");
}

/// A sentence without what differs from run to run.
fn normal(sentence: &str, dir: &Path) -> String {
    let dir = dir.display().to_string();
    let sentence = sentence.replace(dir.trim_end_matches('/'), "DIR");
    let machine = format!("this machine is {}", std::env::consts::ARCH);
    let sentence = sentence.replace(&machine, "this machine is MACHINE");
    for unit in [" bytes of the output", " bytes free"] {
        if let Some(at) = sentence.find(unit) {
            let before = sentence[..at].trim_end_matches(|c: char| c.is_ascii_digit());
            return format!("{before}N{}", &sentence[at..]);
        }
    }
    sentence
}

/// Checks the places of an ended job against the table.
#[track_caller]
fn check(ending: &Ending, job: &Job, entry: &Entry, messages: &Messages) {
    let Ending { name, result, sentence, .. } = ending;
    let dir = job.pod.path("");
    let finished = job.finished();
    assert_eq!(finished["result"], *result, "{name}: {finished}");
    let metadata = &finished["metadata"];
    let cause = metadata["pod-utils"]["cause"].as_str();
    assert_eq!(metadata["pod-utils-cause"].as_str(), cause, "{name}");
    assert_eq!(cause.is_none(), *sentence == "exited with code 0", "{name}: {finished}");
    let told = cause.unwrap_or("exited with code 0").to_owned();
    assert_eq!(normal(&told, &dir), *sentence, "{name}: finished.json");

    check_sidecars(name, result, &told, messages);
    check_entrypoints(ending, job, entry, messages);
    let show = |form: &[&str]| {
        let mut command = Command::new(bins::program("podutils"));
        let shown = process::run(job.pod.tree(), command.arg("show").args(form).arg(job.objects_dir()));
        shown.expect_code(0);
        shown.stdout
    };
    let shown = show(&[]);
    assert!(shown.starts_with(result) && shown.contains(&told), "{name}: {shown}");
    let page = show(&["--html"]);
    assert!(
        page.contains(&told.replace('&', "&amp;").replace('<', "&lt;")),
        "{name}: no {told:?} in the page"
    );
}

#[track_caller]
fn check_sidecars(name: &str, result: &str, told: &str, messages: &Messages) {
    let sidecars = messages.sidecars();
    let result = if result.is_empty() { "no final result was delivered" } else { result };
    let rest = sidecars.strip_prefix(&format!("{result}: {told}; "));
    let rest = rest.unwrap_or_else(|| panic!("{name}: {sidecars}"));
    assert!(rest.contains(" object") && rest.contains(" delivered"), "{name}: {sidecars}");
}

/// The end of the build log, and entrypoint's termination message.
#[track_caller]
fn check_entrypoints(ending: &Ending, job: &Job, entry: &Entry, messages: &Messages) {
    let Ending { name, sentence, .. } = ending;
    let dir = job.pod.path("");
    // Of several containers each says what it knows, without names.
    let own = sentence.strip_prefix("first: ").unwrap_or(sentence);
    let expected = ending.entrypoints.unwrap_or(own);
    let message = messages.entrypoints();
    let log = entry.log_text();
    let delivered = job.objects_dir().join("build-log.txt");
    let log = if delivered.exists() { read(&delivered) } else { log };
    let last = log.lines().last().map(said_by_record).unwrap_or_default();
    let last = last.as_str();
    if expected.is_empty() {
        assert_eq!(message, "", "{name}: entrypoint's termination message");
        assert!(!last.contains(own), "{name}: {last}");
        return;
    }
    // The end of the output may follow, where the command ended by itself.
    let first = message.lines().next().unwrap_or_default();
    assert_eq!(normal(first, &dir), expected, "{name}: entrypoint's termination message");
    if !ending.is_without_log {
        assert_eq!(normal(last, &dir), expected, "{name}: the end of the build log");
    }
}

/// The text of a record; of a command that could not be started the sentence is a plain line.
fn said_by_record(line: &str) -> String {
    let record: Value = serde_json::from_str(line).unwrap_or_default();
    record["msg"].as_str().unwrap_or(line).to_owned()
}

/// Starts the command of an ending that needs nothing of its own.
fn start(job: &Job, entry: &Entry, ending: &Ending, messages: &Messages) -> Running {
    match &ending.how {
        How::Script { script, options, .. } => {
            let options = laid_over(messages.of_entrypoint(), options.clone());
            job.pod.entrypoint(entry, &["sh", "-c", script], options)
        }
        How::Program(file) => {
            let program = job.pod.path(file).display().to_string();
            job.pod.entrypoint(entry, &[&program], messages.of_entrypoint())
        }
        How::Special => panic!("{} has a test of its own", ending.name),
    }
}

#[test]
fn every_place_says_the_same_true_sentence() {
    for ending in endings() {
        if matches!(ending.how, How::Special) {
            continue;
        }
        let job = Job::local();
        lay_out_programs(&job.pod.path(""));
        let (entry, messages) = (job.pod.entry("test"), Messages::new(&job));
        let sidecar = job.sidecar(&[&entry], messages.of_sidecar());
        let test = start(&job, &entry, &ending, &messages);
        if let How::Script { signal: Some(signal), .. } = ending.how {
            entry.until_log("ready");
            test.signal(signal);
        }
        test.wait();
        sidecar.wait().expect_code(0);
        check(&ending, &job, &entry, &messages);
    }
}

/// The last line of `podutils run` about the result: its words behind the time.
#[track_caller]
fn said_by_run(ending: &Ending, stderr: &str, dir: &Path) -> String {
    // A mistake costs one line, before anything runs.
    if let Some(line) = stderr.lines().next().filter(|line| line.starts_with("error: ")) {
        return normal(line, dir);
    }
    let begin = format!("podutils: {} after ", ending.result);
    let line = stderr.lines().find_map(|line| line.strip_prefix(&begin));
    let line = line.unwrap_or_else(|| panic!("{}: {stderr}", ending.name));
    let (_, said) = line.split_once(": ").unwrap_or_else(|| panic!("{}: {line}", ending.name));
    normal(said, dir)
}

#[test]
fn terminal_of_run_says_the_same_sentence() {
    for ending in endings() {
        let desk = Desk::new();
        lay_out_programs(desk.dir.path());
        // As in a pod: the signal that came follows SIGINT at once.
        let mut args = vec!["run", "--interrupt", "int_then_received"];
        let (program, signal) = match &ending.how {
            How::Script { script, options, signal } => {
                for (flag, key) in [("--timeout", "timeout"), ("--grace-period", "grace_period")] {
                    args.extend(options[key].as_str().into_iter().flat_map(|value| [flag, value]));
                }
                args.extend(["--", "sh", "-c", script]);
                (String::new(), *signal)
            }
            How::Program(file) => {
                args.push("--");
                (desk.path(file).display().to_string(), None)
            }
            How::Special => continue,
        };
        args.extend(Some(program.as_str()).filter(|program| !program.is_empty()));
        let mut running = desk.start(&args);
        match signal {
            Some(Signal::KILL) => {
                running.until_stdout("ready");
                rustix::process::kill_process(desk.member("entrypoint"), rustix::process::Signal::KILL)
                    .expect("killed");
            }
            Some(signal) => {
                running.until_stdout("ready");
                running.signal(signal);
            }
            None => {}
        }
        let ended = running.wait();
        let expected = ending.terminals.unwrap_or(ending.sentence);
        assert_eq!(
            said_by_run(&ending, &ended.stderr, desk.dir.path()),
            expected,
            "{}: {ended:#?}",
            ending.name
        );
    }
}
