//! The fuzz targets' checks with stable Rust: over the committed corpora, and
//! over changed forms of them that are the same in every run.

#![expect(unreachable_pub, reason = "the fuzz targets use the checks from outside")]

#[path = "../../tests/fuzz/src/answers.rs"]
mod answers;
#[path = "../../tests/fuzz/src/checks.rs"]
mod checks;
#[path = "../../tests/fuzz/src/delivery/mod.rs"]
mod delivery;

use delivery::Mutation;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;

/// Changed forms of each input.
const CHANGED: u32 = 60;

/// The same for a core that is broken, until one of them finds that.
const CHANGED_FOR_BROKEN: u32 = 3000;

/// Numbers that look random and are the same in every run (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap_or(0) % end.max(1)
    }

    /// One to four changes: of a byte, of a length, of the order.
    fn change(&mut self, input: &mut Vec<u8>) {
        for _ in 0..=self.below(4) {
            let (at, to) = (self.below(input.len()), self.below(input.len()));
            match self.below(5) {
                0 => input.truncate(at),
                1 => input.insert(at, self.below(256).to_le_bytes()[0]),
                2 => drop(input.drain(at.min(to)..at.max(to))),
                3 => input.extend_from_within(at.min(to)..at.max(to)),
                _ => {
                    if let Some(byte) = input.get_mut(at) {
                        *byte = [0, 1, 0x7f, 0xff, self.below(256).to_le_bytes()[0]][self.below(5)];
                    }
                }
            }
        }
    }
}

fn replay(target: &str, check: fn(&[u8])) {
    each_input(target, CHANGED, |input| {
        check(input);
        ControlFlow::Continue(())
    });
}

/// Calls `take` with each input of a corpus and so many changed forms of each.
fn each_input(target: &str, changed_forms: u32, mut take: impl FnMut(&[u8]) -> ControlFlow<()>) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/corpus").join(target);
    let mut inputs: Vec<_> =
        std::fs::read_dir(&corpus).expect("a corpus").flatten().map(|entry| entry.path()).collect();
    inputs.sort();
    assert!(!inputs.is_empty(), "{} is empty", corpus.display());
    let mut random = Random(0x5eed);
    for path in inputs {
        let input = std::fs::read(&path).expect("readable");
        if take(&input).is_break() {
            return;
        }
        for _ in 0..changed_forms {
            let mut changed = input.clone();
            random.change(&mut changed);
            if take(&changed).is_break() {
                return;
            }
        }
    }
}

#[test]
fn stream() {
    replay("stream", checks::stream);
}

#[test]
fn gzip() {
    replay("gzip", checks::gzip);
}

#[test]
fn tar() {
    replay("tar", checks::tar);
}

#[test]
fn zip() {
    replay("zip", checks::zip);
}

#[test]
fn scanned() {
    replay("scanned", checks::scanned);
}

#[test]
fn secrets() {
    replay("secrets", checks::secrets);
}

#[test]
fn junit() {
    replay("junit", checks::junit);
}

#[test]
fn delivery() {
    replay("delivery", delivery::delivery);
}

/// A core that is broken on purpose must be caught, and by the right invariant.
#[test]
fn a_broken_core_is_caught_by_the_corpus_of_delivery() {
    for (mutation, by) in [
        (Mutation::ResultBeforeManifest, "I4"),
        (Mutation::AbortNotAwaited, "I5"),
        (Mutation::DeafToMarkers, "I7"),
        (Mutation::PausesForgotten, "I7"),
        (Mutation::TooManyTransfers, "I8"),
        (Mutation::SentBytesUnlimited, "I8"),
    ] {
        let mut caught = None;
        each_input("delivery", CHANGED_FOR_BROKEN, |input| {
            let Err(panic) = std::panic::catch_unwind(|| delivery::broken(input, mutation)) else {
                return ControlFlow::Continue(());
            };
            let text = panic.downcast_ref::<String>().cloned();
            caught = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            ControlFlow::Break(())
        });
        let caught = caught.unwrap_or_else(|| panic!("{mutation:?} was not noticed"));
        assert!(caught.starts_with(by), "{mutation:?}: {caught}");
    }
}

#[test]
fn answers() {
    replay("answers", answers::answers);
}

/// An emulator is found by a variable, which a process of its own can have.
#[test]
fn answers_of_an_emulator() {
    // An address that no other process takes.
    let pid = std::process::id().to_le_bytes();
    let address = format!("127.{}.{}.{}:8123", 1 + pid[2], pid[1], pid[0].max(1));
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command.args(["--exact", "answers"]).env("STORAGE_EMULATOR_HOST", address);
    let output = command.output().expect("started");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}
