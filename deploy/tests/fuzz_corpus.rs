//! The checks of the fuzz targets `webhook` and `yaml` with stable Rust: over the committed corpora,
//! changed forms of them that are the same in every run, and the pods in the directory that
//! `POD_UTILS_PODS` names (`tests/fuzz/pods.py` makes one).

#![expect(unreachable_pub, reason = "the fuzz targets use the checks from outside")]

#[path = "../../tests/fuzz/src/webhook.rs"]
mod webhook;
#[path = "../../tests/fuzz/src/yaml.rs"]
mod yaml;

use std::path::{Path, PathBuf};

/// Changed forms of each input.
const CHANGED: u32 = 60;

/// Numbers that look random and are the same in every run (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap_or(0) % end.max(1)
    }

    /// One to three changes that often leave JSON: another token, or a part twice.
    fn change(&mut self, text: &mut String) {
        const TOKENS: [&str; 9] = ["null", "0", "\"\"", "[]", "{}", "true", "-1", "\"x\"", "1e9"];
        for _ in 0..=self.below(3) {
            let starts: Vec<_> = text.match_indices([':', ',', '[']).map(|(at, _)| at + 1).collect();
            let Some(at) = starts.get(self.below(starts.len())).copied() else { return };
            let token = TOKENS[self.below(TOKENS.len())];
            let length = text[at..].find([',', ']', '}']).unwrap_or(0);
            match self.below(3) {
                0 => text.replace_range(at..at + length, token),
                1 => text.insert_str(at, &format!("{token},")),
                _ => {
                    let copy = text[at..at + length].to_owned();
                    text.insert_str(at, &format!("{copy},"));
                }
            }
        }
    }

    /// One to three changes that often leave YAML: indicators and white space more, or less.
    fn change_yaml(&mut self, text: &mut String) {
        const TOKENS: [&str; 24] = [
            "- ", ": ", "? ", "\n", "\n  ", "\n\n", "  ", "\t", "\r", "|\n", ">-\n", "|2+\n", "\"", "'", "[",
            "]", "{", "}", ", ", "&a ", "*a", "!!str ", " #", "\n---\n",
        ];
        for _ in 0..=self.below(3) {
            let places: Vec<_> = text.char_indices().map(|(at, _)| at).collect();
            let Some(at) = places.get(self.below(places.len())).copied() else { return };
            if self.below(2) == 0 {
                text.insert_str(at, TOKENS[self.below(TOKENS.len())]);
            } else {
                text.remove(at);
            }
        }
    }
}

fn corpus(target: &str) -> Vec<PathBuf> {
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/corpus").join(target))
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        std::fs::read_dir(directory).expect("a corpus").flatten().map(|entry| entry.path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", directory.display());
    files
}

#[test]
fn reviews_are_answered() {
    let mut random = Random(0x5eed);
    for path in corpus("webhook") {
        let input = std::fs::read_to_string(&path).expect("readable");
        webhook::webhook(input.as_bytes());
        for _ in 0..CHANGED {
            let mut changed = input.clone();
            random.change(&mut changed);
            webhook::webhook(changed.as_bytes());
        }
    }
    let Some(pods) = std::env::var_os("POD_UTILS_PODS") else { return };
    let (mut decorated, pods) = (0, files(Path::new(&pods)));
    for path in &pods {
        let input = std::fs::read(path).expect("readable");
        webhook::webhook(&input);
        decorated += usize::from(podutils::review(&input).is_ok_and(|answer| holds(&answer, b"JSONPatch")));
    }
    println!("{decorated} of {} pods can be decorated", pods.len());
    assert!(decorated * 10 > pods.len(), "hardly any of these pods can be decorated");
}

#[test]
fn streams_survive() {
    let mut random = Random(0x7a61);
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/inject/golden");
    for path in corpus("yaml").into_iter().chain(files(&golden)) {
        let input = std::fs::read_to_string(&path).expect("readable");
        yaml::yaml(input.as_bytes());
        for _ in 0..CHANGED * 2 {
            let mut changed = input.clone();
            random.change_yaml(&mut changed);
            yaml::yaml(changed.as_bytes());
        }
    }
}

fn holds(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len()).any(|window| window == wanted)
}
