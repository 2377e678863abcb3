//! The writers: a program for each language that is there, all of them at the same time.

use crate::{Bench, HERE, is_full, secrets};
use harness::announce_skip;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Languages by the folders that they write into.
const LANGUAGES: [&str; 8] = ["python", "node", "ruby", "php", "go", "java", "java-libraries", "shell"];

/// Runs all writers, and returns the languages that have written.
pub(crate) fn write_all(bench: &Bench) -> Vec<&'static str> {
    fs::write(bench.job.pod.path("lines"), lines()).unwrap();
    std::thread::scope(|scope| {
        let runs = LANGUAGES.map(|language| scope.spawn(move || write(bench, language).then_some(language)));
        runs.into_iter().filter_map(|run| run.join().unwrap()).collect()
    })
}

fn write(bench: &Bench, language: &str) -> bool {
    let jars = bench.tool("jars");
    if language == "java-libraries" && !(is_full() && jars.exists()) {
        announce_skip("libraries of Java: they are installed and run with `full` only");
        return false;
    }
    let out = bench.job.pod.artifacts().join(language);
    let list = Path::new(HERE).join("secrets.json");
    let script = |program: &str, name: &str| {
        let mut command = Command::new(program);
        command.arg(Path::new(HERE).join("writers").join(name)).arg(&list);
        command
    };
    let mut command = match language {
        "python" => {
            let mut command = bench.python("writers/python.py");
            command.arg(&list);
            command
        }
        "node" => {
            let mut command = script("node", "node.cjs");
            command.env("NODE_PATH", bench.tool("node_modules"));
            command
        }
        "ruby" => script("ruby", "ruby.rb"),
        "php" => script("php", "php.php"),
        "go" => {
            let mut command = Command::new(bench.tool("go-writers"));
            command.arg(&list);
            command
        }
        "java" => {
            let mut command = Command::new("java");
            command.arg(Path::new(HERE).join("writers/Writers.java")).arg("lines");
            command
        }
        "java-libraries" => {
            let mut command = Command::new("java");
            command.arg("-cp").arg(jars.join("*"));
            command.arg(Path::new(HERE).join("writers/Libraries.java")).arg("lines");
            command
        }
        _ => {
            let mut command = Command::new("bash");
            command.arg(Path::new(HERE).join("writers/shell.sh")).arg(bench.job.pod.path("plain"));
            command
        }
    };
    let program = Path::new(command.get_program());
    if Command::new(program)
        .arg(if language.starts_with("java") { "-version" } else { "--version" })
        .output()
        .is_err()
    {
        announce_skip(&format!("{language}: there is no {}", program.display()));
        return false;
    }
    fs::create_dir(&out).unwrap();
    command.arg(&out);
    if is_full() {
        command.arg("full");
        // kubectl is a package of Python.
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{path}:{}", bench.tool("py/bin").display()));
    }
    bench.run(&mut command);
    true
}

/// The secrets for programs that read no JSON: a name and base64 in each line.
fn lines() -> String {
    use base64::Engine;
    let mut lines = String::new();
    for (name, secret) in secrets() {
        let encoded = base64::engine::general_purpose::STANDARD.encode(secret.as_str().unwrap());
        writeln!(lines, "{name} {encoded}").unwrap();
    }
    lines
}
