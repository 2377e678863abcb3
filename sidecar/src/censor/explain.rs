//! What was masked, and why: for people who try their secrets.

use super::encodings::Encoding;
use super::engine::{MASK, Pattern, folded};
use super::secrets::Secrets;
use std::sync::Arc;

/// One place that was masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// Where it begins, in bytes from the beginning of the stream.
    pub offset: u64,
    /// Its length in bytes.
    pub bytes: usize,
    /// The file that holds the secret.
    pub file: Arc<str>,
    /// The form in which it was found.
    pub encoding: Encoding,
}

/// Tells of a stream which secret stood where.
///
/// Only places that were masked are looked at: in each, the longest form that
/// begins there is found by its place among all forms in order. One that lies
/// inside another is not told.
#[derive(Debug)]
pub struct Explainer {
    exact: Forms,
    folded: Forms,
    /// Bytes of the stream in front of the window.
    before: u64,
    /// Where the last one that was told ends.
    told: u64,
}

impl Explainer {
    /// Knows all forms of all values.
    pub fn new(secrets: &Secrets) -> Self {
        let (mut exact, mut folded) = (Vec::new(), Vec::new());
        for (file, encoding, pattern) in secrets.forms() {
            let to = if pattern.is_hexadecimal() { &mut folded } else { &mut exact };
            to.push((pattern, Arc::from(file), encoding));
        }
        Self { exact: Forms::new(exact, false), folded: Forms::new(folded, true), before: 0, told: 0 }
    }

    /// Tells of the first `released` bytes of a window, given as it was and as
    /// it is, what was masked. The next window begins behind them.
    pub fn explain(&mut self, was: &[u8], is: &[u8], released: usize) -> Vec<Explained> {
        let mut explained = Vec::new();
        for at in (0..released).filter(|at| is[*at] == MASK) {
            let found = [self.exact.longest(&was[at..]), self.folded.longest(&was[at..])];
            let longest = found.into_iter().flatten().max_by_key(|form| form.0.bytes().len());
            let Some((pattern, file, encoding)) = longest else { continue };
            let (offset, bytes) = (self.before + at as u64, pattern.bytes().len());
            let end = offset + bytes as u64;
            if end > self.told {
                self.told = end;
                explained.push(Explained { offset, bytes, file: Arc::clone(file), encoding: *encoding });
            }
        }
        self.before += released as u64;
        explained
    }
}

type Form = (Pattern, Arc<str>, Encoding);

/// Forms in ascending order, as they are compared.
#[derive(Debug)]
struct Forms {
    sorted: Vec<Form>,
    /// For each form the longest other one that is a beginning of it.
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

    /// The longest form that the text begins with. The last form up to the text
    /// shares the most bytes with it, and all others that it begins with are
    /// beginnings of that one.
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
    fn each_place_is_told_by_file_and_form_and_never_by_value() {
        let options = CensoringOptions::default();
        let values = ["pass word!", "the-other-secret", "the-other", "foo", "foobar", "XX"];
        let secrets = Secrets::of_values(&values, &options);
        let censor = Censor::new(&secrets, &options, 1);
        let text = b"a foobar, pass%20worD%21 and the-other-secret, 7061737320776F726421 XX dGhlLW90aGVyLXNlY3JldA== Xa";
        let mut explainer = Explainer::new(&secrets);
        let mut mask = censor.stream().expect("secrets");
        let (mut window, mut told, mut at) = (Vec::new(), Vec::new(), 0);
        for chunk in text.chunks(7) {
            window.extend_from_slice(chunk);
            at += chunk.len();
            let was = window.clone();
            let released = mask.mask(&mut window, at == text.len());
            told.extend(explainer.explain(&was, &window, released));
            window.drain(..released);
        }
        let told: Vec<_> =
            told.iter().map(|told| (told.offset, told.bytes, told.encoding.to_string())).collect();
        let expected = [
            (2, 6, "plain"),
            (10, 14, "percent-encoded"),
            (29, 16, "plain"),
            (47, 20, "hexadecimal"),
            (68, 2, "plain"),
            (71, 24, "base64"),
        ];
        assert_eq!(told, expected.map(|(offset, bytes, form)| (offset, bytes, form.to_owned())));
    }
}
