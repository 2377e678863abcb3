//! Figures of the matching engine alone, on one core.
//!
//! `cargo bench -p sidecar --bench censor_engine --profile dist` prints Markdown tables: the
//! best and the median of several runs in turns, in GB of text per second of processor time, beside
//! copying the same bytes and beside aho-corasick. `quick` as an argument takes
//! smaller texts and fewer runs, `adversarial` prints only the table of texts
//! made against the engine, `hostile` those of all that a job may add, `forms` only that of all forms that sidecar looks
//! for, `views` that of wrapped, escaped and listed values, `containers` only that of a compressed archive.

#![expect(clippy::cast_precision_loss, reason = "figures have three digits")]

mod containers;
mod hostile;
mod texts;
mod views;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustix::time::{ClockId, clock_gettime};
use sidecar::censor::encodings::{encodings, rare_encodings};
use sidecar::censor::engine::Matcher;
use std::hint::black_box;
use texts::{Random, base64_text, log_text, near_misses, numbers, patterns, pieces, repeat, secrets, token};

/// Bytes that a transfer reads at a time.
const WINDOW: usize = 256 * 1024;

const COUNTS: [usize; 4] = [5, 50, 500, 5000];

fn main() {
    let quick = std::env::args().any(|arg| arg == "quick");
    let (size, runs) = if quick { (32 << 20, 3) } else { (128 << 20, 9) };
    let mut random = Random(0x5eed);
    println!("# Matching engine: {} MiB of text, best (median) of {runs} runs in GB/s\n", size >> 20);
    let wants = |table: &str| {
        let mut tables = ["engine", "forms", "views", "adversarial", "hostile", "containers"].into_iter();
        let is_all = !tables.any(|table| std::env::args().any(|arg| arg == table));
        is_all || std::env::args().any(|arg| arg == table)
    };
    if wants("engine") {
        secrets_of(16..=200, size, runs, &mut random);
        secrets_of(10..=64, size, runs, &mut random);
    }
    if wants("forms") {
        as_sidecar(size, runs, &mut random);
    }
    if wants("views") {
        views::table(size / 2, runs, &mut random);
    }
    if wants("adversarial") {
        adversarial(size / 4, runs, &mut random);
    }
    if wants("hostile") {
        hostile(size / 4, &mut random);
    }
    if wants("containers") {
        containers::table(size / 2, runs.min(5), &mut random);
    }
}

/// The common cases.
fn secrets_of(lengths: std::ops::RangeInclusive<usize>, size: usize, runs: usize, random: &mut Random) {
    println!("## Secrets of {}–{} bytes, all encodings\n", lengths.start(), lengths.end());
    println!(
        "| secrets | patterns | log text | random base64 | memcpy | aho-corasick, log | build ms | MiB beyond patterns |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let log = log_text(size, random);
    let base64 = base64_text(size, random);
    for count in COUNTS {
        let patterns = patterns(&secrets(count, lengths.clone(), random));
        let build = build_ms(&patterns, runs);
        let matcher = Matcher::new(patterns.iter().cloned()).expect("they fit");
        let figures = in_turns(
            runs,
            &mut [&mut || engine(&matcher, &log), &mut || engine(&matcher, &base64), &mut || copy(&log)],
        );
        let peer = aho_corasick(&patterns, &log[..size.min(8 << 20)]);
        let beyond = matcher.memory().1 as f64 / f64::from(1 << 20);
        println!(
            "| {count} | {} | {} | {} | {} | {peer:.2} | {build:.1} | {beyond:.1} |",
            patterns.len(),
            figures[0],
            figures[1],
            figures[2],
        );
    }
    println!();
}

/// All forms that sidecar looks for: with lines of wrapped base64, the last of
/// which can be short, and with hexadecimal digits in any case.
fn as_sidecar(size: usize, runs: usize, random: &mut Random) {
    println!("## Secrets of 16–200 bytes, all forms that sidecar looks for\n");
    println!("| secrets | forms | log text | random base64 | build ms (forms alone) | MiB beyond patterns |");
    println!("|---|---|---|---|---|---|");
    let (log, base64) = (log_text(size, random), base64_text(size, random));
    for count in COUNTS {
        let secrets = secrets(count, 16..=200, random);
        let rare = |secret: &[u8]| if count <= 1000 { rare_encodings(secret) } else { Vec::new() };
        let of = |secret: &Vec<u8>| encodings(secret, secret).into_iter().chain(rare(secret));
        let forms = || secrets.iter().flat_map(of).map(|(_, pattern)| pattern);
        let best = |measured: &mut dyn FnMut()| {
            let timed = |_| {
                let since = Stopwatch::start();
                measured();
                since.seconds() * 1e3
            };
            (0..runs).map(timed).fold(f64::INFINITY, f64::min)
        };
        let forms_ms = best(&mut || _ = black_box(forms().map(black_box).count()));
        let both_ms = best(&mut || drop(black_box(Matcher::new(forms()).expect("they fit"))));
        let count_of_forms = forms().count();
        let matcher = Matcher::new(forms()).expect("they fit");
        let figures =
            in_turns(runs, &mut [&mut || engine(&matcher, &log), &mut || engine(&matcher, &base64)]);
        let beyond = matcher.memory().1 as f64 / f64::from(1 << 20);
        println!(
            "| {count} | {count_of_forms} | {} | {} | {both_ms:.1} ({forms_ms:.1}) | {beyond:.1} |",
            figures[0], figures[1]
        );
    }
    println!();
}

/// A name, patterns, and a text made against them.
type Case<'a> = (&'a str, &'a [Vec<u8>], Vec<u8>);

/// Texts made against the engine, with 5,000 secrets.
fn adversarial(size: usize, runs: usize, random: &mut Random) {
    println!("## Adversarial text, {} MiB, 5,000 secrets of 16–200 bytes, all encodings\n", size >> 20);
    println!("| text | engine | memcpy | aho-corasick | masked |");
    println!("|---|---|---|---|---|");
    let plain = secrets(5000, 16..=200, random);
    let all = patterns(&plain);
    let prefix = token(120, random);
    let sharing: Vec<_> = plain
        .iter()
        .map(|secret| [&prefix[..], &secret[secret.len().saturating_sub(24)..]].concat())
        .collect();
    let sharing = patterns(&sharing);
    let runs_too: Vec<_> = all.iter().cloned().chain((16..=200).map(|length| vec![b'a'; length])).collect();
    let flawed: Vec<_> = all
        .iter()
        .cloned()
        .chain((16..=200).map(|length| [vec![b'a'; length], vec![b'b'], vec![b'a'; 200 - length]].concat()))
        .collect();
    let numbered: Vec<_> = all
        .iter()
        .cloned()
        .chain((0..5000).map(|number| format!("test-password-{number:04}").into_bytes()))
        .collect();
    let ends: Vec<_> = all
        .iter()
        .cloned()
        .chain((16..=200).map(|length| [vec![b'a'; length], vec![b'b']].concat()))
        .collect();
    let cases: [Case<'_>; 12] = [
        (
            "near misses: every last byte changed",
            &all,
            near_misses(&all, size, random, |length, _| length - 1),
        ),
        (
            "near misses: any byte changed",
            &all,
            near_misses(&all, size, random, |length, random| random.below(length)),
        ),
        ("nine bytes of a pattern at a time", &all, pieces(&all, 9, size, random)),
        ("sixteen bytes of a pattern at a time", &all, pieces(&all, 16, size, random)),
        ("a prefix of all secrets, repeated", &sharing, repeat(&prefix, size)),
        ("a prefix in base64, repeated", &sharing, repeat(STANDARD.encode(&prefix).as_bytes(), size)),
        ("one byte, with runs of it as secrets", &runs_too, repeat(b"a", size)),
        (
            "runs of 150, with runs as secrets",
            &runs_too,
            repeat(&[vec![b'a'; 150], b"-".to_vec()].concat(), size),
        ),
        ("one byte, with flawed runs as secrets", &flawed, repeat(b"a", size)),
        ("one byte, with runs that end in another", &ends, repeat(b"a", size)),
        ("numbered passwords that do not exist", &numbered, numbers(size, random)),
        ("nothing but secrets", &all, pieces(&all, usize::MAX, size, random)),
    ];
    for (name, patterns, text) in cases {
        let matcher = Matcher::new(patterns.iter().cloned()).expect("they fit");
        let mut masked = 0;
        let figures = in_turns(
            runs,
            &mut [
                &mut || {
                    let (speed, count) = engine_counted(&matcher, &text);
                    masked = count;
                    speed
                },
                &mut || copy(&text),
            ],
        );
        let peer = aho_corasick(patterns, &text[..size.min(4 << 20)]);
        let share = 100 * masked / size as u64;
        println!("| {name} | {} | {} | {peer:.2} | {share} % |", figures[0], figures[1]);
    }
    println!();
}

/// Texts made against 1,000 values of a job, beside 500 of the operator: the first
/// time, when an automaton may have to be built, and afterwards.
fn hostile(size: usize, random: &mut Random) {
    println!("## Values that a job adds against the engine, {} MiB, all forms and views\n", size >> 20);
    println!("| values and text | first time | engine | masked | MiB beyond patterns |");
    println!("|---|---|---|---|---|");
    let operator = secrets(500, 16..=200, random);
    for (name, values, text) in hostile::cases(size, random) {
        let forms = operator.iter().chain(&values).flat_map(|value| encodings(value, value));
        let (is_text, patterns): (Vec<_>, Vec<_>) =
            forms.map(|(encoding, pattern)| (encoding.is_text(), pattern)).unzip();
        let matcher = Matcher::with_views(patterns, &is_text).expect("they fit");
        let first = engine(&matcher, &text);
        let (speed, masked) = engine_counted(&matcher, &text);
        let beyond = matcher.memory().1 as f64 / f64::from(1 << 20);
        let share = 100 * masked / size as u64;
        println!("| {name} | {first:.3} | {speed:.3} | {share} % | {beyond:.1} |");
    }
    println!();
}

/// The best and the median of measurements that take turns.
fn in_turns(runs: usize, measured: &mut [&mut dyn FnMut() -> f64]) -> Vec<String> {
    let mut results = vec![Vec::new(); measured.len()];
    for _ in 0..runs {
        for (result, measure) in results.iter_mut().zip(measured.iter_mut()) {
            result.push(measure());
        }
    }
    let show = |mut result: Vec<f64>| {
        result.sort_by(f64::total_cmp);
        format!("{:.2} ({:.2})", result[result.len() - 1], result[result.len() / 2])
    };
    results.into_iter().map(show).collect()
}

/// Time of this thread on a processor, so that other work on the machine counts little.
struct Stopwatch(f64);

impl Stopwatch {
    fn now() -> f64 {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
    }

    fn start() -> Self {
        Self(Self::now())
    }

    fn seconds(&self) -> f64 {
        Self::now() - self.0
    }
}

fn gigabytes_per_second(bytes: usize, since: &Stopwatch) -> f64 {
    bytes as f64 / since.seconds() / 1e9
}

fn engine(matcher: &Matcher, text: &[u8]) -> f64 {
    engine_counted(matcher, text).0
}

/// The windows lie beside each other in one copy of the text, so that nothing
/// but the engine is measured.
fn engine_counted(matcher: &Matcher, text: &[u8]) -> (f64, u64) {
    let mut text = text.to_vec();
    let since = Stopwatch::start();
    let mut progress = matcher.start();
    let (mut from, mut to) = (0, 0);
    while to < text.len() {
        to = text.len().min(to + WINDOW);
        let end = to == text.len();
        from += matcher.mask(&mut progress, &mut text[from..to], end);
    }
    let speed = gigabytes_per_second(text.len(), &since);
    assert_eq!(from, text.len());
    black_box(text);
    (speed, progress.masked())
}

/// Copying by windows into memory that was written to before.
fn copy(text: &[u8]) -> f64 {
    let mut to = vec![1_u8; text.len()];
    let since = Stopwatch::start();
    for (from, to) in text.chunks(WINDOW).zip(to.chunks_mut(WINDOW)) {
        to.copy_from_slice(from);
        black_box(to);
    }
    gigabytes_per_second(text.len(), &since)
}

fn aho_corasick(patterns: &[Vec<u8>], text: &[u8]) -> f64 {
    let automaton =
        AhoCorasick::builder().kind(Some(AhoCorasickKind::ContiguousNFA)).build(patterns).expect("they fit");
    let since = Stopwatch::start();
    black_box(automaton.find_overlapping_iter(text).map(|found| found.end()).fold(0, usize::wrapping_add));
    gigabytes_per_second(text.len(), &since)
}

fn build_ms(patterns: &[Vec<u8>], runs: usize) -> f64 {
    let build = || {
        let patterns = patterns.to_vec();
        let since = Stopwatch::start();
        black_box(Matcher::new(patterns).expect("they fit"));
        since.seconds() * 1e3
    };
    (0..runs).map(|_| build()).fold(f64::INFINITY, f64::min)
}
