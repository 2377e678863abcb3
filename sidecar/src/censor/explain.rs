//! Which secret was masked where, for people who try their configuration.

use super::encodings::Encoding;
use super::engine::{MASK, Pattern, folded};
use super::secrets::Secrets;
use std::sync::Arc;

/// One masked match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// Its offset in the stream, in bytes.
    pub offset: u64,
    /// Its length in bytes.
    pub bytes: usize,
    /// The file of the secret.
    pub file: Arc<str>,
    /// The encoding in which it was found.
    pub encoding: Encoding,
}

/// Explains the masked parts of one stream.
///
/// Looks at masked bytes only: a binary search among all forms finds the longest
/// one that begins there. A match inside another one is not reported.
#[derive(Debug)]
pub struct Explainer {
    exact: Forms,
    folded: Forms,
    /// Bytes of the stream in front of the window.
    before: u64,
    /// The end of the last reported match.
    explained_until: u64,
}

impl Explainer {
    /// Sorts all forms of all values.
    pub fn new(secrets: &Secrets) -> Self {
        let (mut exact, mut folded) = (Vec::new(), Vec::new());
        for (file, encoding, pattern) in secrets.forms() {
            let to = if pattern.is_hexadecimal() { &mut folded } else { &mut exact };
            to.push((pattern, Arc::from(file), encoding));
        }
        Self {
            exact: Forms::new(exact, false),
            folded: Forms::new(folded, true),
            before: 0,
            explained_until: 0,
        }
    }

    /// Explains the first `released` bytes of a window, given before and after
    /// masking. The next window begins behind them.
    pub fn explain(&mut self, was: &[u8], is: &[u8], released: usize) -> Vec<Explained> {
        let mut explained = Vec::new();
        for at in (0..released).filter(|at| is[*at] == MASK) {
            let found = [self.exact.longest(&was[at..]), self.folded.longest(&was[at..])];
            let longest = found.into_iter().flatten().max_by_key(|form| form.0.bytes().len());
            let Some((pattern, file, encoding)) = longest else { continue };
            let (before, behind) = pattern.around(was, at);
            let (offset, bytes) =
                (self.before + (at - before) as u64, before + pattern.bytes().len() + behind);
            let end = offset + bytes as u64;
            if end > self.explained_until {
                self.explained_until = end;
                explained.push(Explained { offset, bytes, file: Arc::clone(file), encoding: *encoding });
            }
        }
        self.before += released as u64;
        explained
    }
}

type Form = (Pattern, Arc<str>, Encoding);

/// Forms in the order of comparison.
#[derive(Debug)]
struct Forms {
    sorted: Vec<Form>,
    /// The longest other form that is a prefix of each.
    shorter: Vec<Option<usize>>,
    any_case: bool,
}

impl Forms {
    fn new(mut sorted: Vec<Form>, any_case: bool) -> Self {
        sorted.sort_by(|a, b| compared(a.0.bytes(), any_case).cmp(compared(b.0.bytes(), any_case)));
        let begins = |longer: &Form, form: &Form| {
            let (longer, form) = (longer.0.bytes(), form.0.bytes());
            let length = form.len().min(longer.len());
            length == form.len() && compared(&longer[..length], any_case).eq(compared(form, any_case))
        };
        sorted.dedup_by(|a, b| a.0.bytes().len() == b.0.bytes().len() && begins(a, b));
        let mut shorter = vec![None; sorted.len()];
        let mut open: Vec<usize> = Vec::new();
        for at in 0..sorted.len() {
            while open.last().is_some_and(|last| !begins(&sorted[at], &sorted[*last])) {
                open.pop();
            }
            shorter[at] = open.last().copied();
            open.push(at);
        }
        Self { sorted, shorter, any_case }
    }

    /// Returns the longest form that is a prefix of the text. The last form not
    /// greater than the text shares the most bytes with it, and all prefixes of the
    /// text are prefixes of that form.
    fn longest(&self, text: &[u8]) -> Option<&Form> {
        let any_case = self.any_case;
        let up_to = |form: &Form| compared(form.0.bytes(), any_case).cmp(compared(text, any_case)).is_le();
        let mut at = self.sorted.partition_point(up_to).checked_sub(1)?;
        loop {
            let bytes = self.sorted[at].0.bytes();
            let here = text.get(..bytes.len());
            if here.is_some_and(|here| compared(here, any_case).eq(compared(bytes, any_case))) {
                return Some(&self.sorted[at]);
            }
            at = self.shorter[at]?;
        }
    }
}

fn compared(bytes: &[u8], any_case: bool) -> impl Iterator<Item = u8> {
    bytes.iter().map(move |byte| if any_case { folded(*byte) } else { *byte })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::censor::{Censor, CensoringOptions};

    #[test]
    fn each_match_is_reported_with_file_and_form_but_never_its_value() {
        let options = CensoringOptions::default();
        let token = "ghp_16C7e42F292c6912E7710c838347Ae178B4a";
        let values = ["pass word!", "the-other-secret", "the-other", "foo", "foobar", "XX", token];
        let secrets = Secrets::of_values(&values, &options);
        let censor = Censor::new(&secrets, &options, 1);
        let text = b"a foobar, pass%20worD%21 and the-other-secret, 7061737320776F726421 XX dGhlLW90aGVyLXNlY3JldA== Xa ghp_16C7e42F292c6912E7...";
        let mut explainer = Explainer::new(&secrets);
        let mut mask = censor.stream().expect("secrets");
        let (mut window, mut found, mut at) = (Vec::new(), Vec::new(), 0);
        for chunk in text.chunks(7) {
            window.extend_from_slice(chunk);
            at += chunk.len();
            let was = window.clone();
            let released = mask.mask(&mut window, at == text.len());
            found.extend(explainer.explain(&was, &window, released));
            window.drain(..released);
        }
        let found: Vec<_> =
            found.iter().map(|found| (found.offset, found.bytes, found.encoding.to_string())).collect();
        let expected = [
            (2, 6, "plain"),
            (10, 14, "percent-encoded"),
            (29, 16, "plain"),
            (47, 20, "hexadecimal"),
            (68, 2, "plain"),
            (71, 24, "base64"),
            (99, 22, "shortened"),
        ];
        assert_eq!(found, expected.map(|(offset, bytes, form)| (offset, bytes, form.to_owned())));
    }
}
