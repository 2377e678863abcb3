//! Children as they should not be: `hostile <verb> [arguments]`.
//!
//! | verb | what it does |
//! | --- | --- |
//! | `ignore` | ignores INT and TERM, says `ready`, sleeps for a minute |
//! | `flood BYTES` | writes as many bytes in lines of 100, then exits |
//! | `holder SECONDS` | exits 0 at once and leaves a child that holds the pipe |
//! | `daemon SECONDS` | says `ready` from a double-forked child in a session of its own, exits 0 |
//! | `cleanup LINES MILLISECONDS` | says `ready`; on TERM prints lines that slowly, then exits 0 |
//! | `deaf-to-int` | says `ready`, ignores INT, dies of TERM |
//! | `held FILE` | says `ready`; on INT or TERM waits until the file exists, says `released`, exits 0 |
//! | `die SIGNAL` | dies of the signal |
//! | `signals` | says `ready`, prints each INT and TERM it gets, exits 5 at USR1 |
//! | `ready SECONDS` | says `ready` and sleeps; leaves signals at their defaults, which a shell does not always do |
//! | `orphans COUNT` | leaves that many orphans that exit at once, then exits 7 |

use common::signal::Signal;
use signal_hook::iterator::Signals;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

const INT: i32 = Signal::INT.as_raw();
const TERM: i32 = Signal::TERM.as_raw();
const USR1: i32 = Signal::USR1.as_raw();

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let verb = words.first().map_or("", String::as_str);
    let number = |index: usize| words.get(index).and_then(|word| word.parse::<u64>().ok()).expect("a number");
    match verb {
        "ignore" => until_signals(&[INT, TERM], |_| None),
        "flood" => flood(number(1)),
        "sleep" => sleep(number(1)),
        "ready" => {
            say("ready");
            sleep(number(1))
        }
        "holder" => leave(&["sleep", &words[1]]),
        "daemon" => leave(&["detached", &words[1]]),
        "detached" => detached(number(1)),
        "cleanup" => cleanup(number(1), Duration::from_millis(number(2))),
        "deaf-to-int" => until_signals(&[INT], |_| None),
        "held" => held(std::path::Path::new(&words[1])),
        "die" => die(number(1)),
        "signals" => until_signals(&[INT, TERM, USR1], |signal| {
            if signal == USR1 {
                return Some(ExitCode::from(5));
            }
            say(&format!("got {signal}"));
            None
        }),
        "orphans" => {
            for _ in 0..number(1) {
                leave(&["leave"]);
            }
            ExitCode::from(7)
        }
        "leave" => leave(&["sleep", "0"]),
        _ => {
            eprintln!("hostile knows no verb {verb:?}");
            ExitCode::from(2)
        }
    }
}

fn say(text: &str) {
    let mut stdout = std::io::stdout();
    // A closed stdout must not end a hostile child.
    let _ = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
}

fn sleep(seconds: u64) -> ExitCode {
    std::thread::sleep(Duration::from_secs(seconds));
    ExitCode::SUCCESS
}

/// Catches the signals, says `ready`, and asks what each means, for a minute.
fn until_signals(signals: &[i32], mut meaning: impl FnMut(i32) -> Option<ExitCode>) -> ExitCode {
    let mut caught = Signals::new(signals).expect("handlers");
    std::thread::spawn(|| {
        std::thread::sleep(Duration::from_mins(1));
        std::process::exit(99);
    });
    say("ready");
    caught.forever().find_map(&mut meaning).unwrap_or(ExitCode::FAILURE)
}

fn flood(bytes: u64) -> ExitCode {
    let line = [b"0123456789".repeat(10).as_slice(), b"\n"].concat()[1..].to_vec();
    let mut stdout = std::io::BufWriter::with_capacity(1 << 16, std::io::stdout());
    let mut left = usize::try_from(bytes).expect("a size");
    while left > 0 {
        let count = left.min(line.len());
        stdout.write_all(&line[..count]).expect("written");
        left -= count;
    }
    stdout.flush().expect("written");
    ExitCode::SUCCESS
}

/// Starts this program with other words and does not wait for it.
#[expect(clippy::zombie_processes, reason = "to be left behind is the purpose")]
fn leave(words: &[&str]) -> ExitCode {
    let own = std::env::current_exe().expect("its own path");
    Command::new(own).args(words).stdin(Stdio::null()).spawn().expect("started");
    ExitCode::SUCCESS
}

/// The second half of a double fork; the first half has exited.
fn detached(seconds: u64) -> ExitCode {
    rustix::process::setsid().expect("a session");
    say("ready");
    sleep(seconds)
}

fn cleanup(lines: u64, pause: Duration) -> ExitCode {
    let mut begun = false;
    until_signals(&[INT, TERM], |signal| {
        if signal != TERM || std::mem::replace(&mut begun, true) {
            return None;
        }
        for line in 1..=lines {
            std::thread::sleep(pause);
            say(&format!("clean-up line {line}"));
        }
        Some(ExitCode::SUCCESS)
    })
}

fn held(file: &std::path::Path) -> ExitCode {
    until_signals(&[INT, TERM], |_| {
        while !file.exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        say("released");
        Some(ExitCode::SUCCESS)
    })
}

fn die(signal: u64) -> ExitCode {
    // A shell of the same pid takes the signal's default action.
    let error = Command::new("sh").args(["-c", &format!("kill -{signal} $$")]).exec();
    eprintln!("{error}");
    ExitCode::FAILURE
}
