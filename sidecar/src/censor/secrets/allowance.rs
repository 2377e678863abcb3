//! Bounds on what a job adds: on its values for the program's lifetime, on what is read of
//! its files at a time, and on the forms in which its values are looked for.

use super::files::read;
use super::{SecretBytes, trim};
use crate::censor::encodings::{Encoding, encodings, least_encodings, rare_encodings};
use crate::censor::engine::Pattern;
use std::fs::File;
use std::io;

/// Maximum number of the job's values, for the program's lifetime.
const MAX_VALUES: usize = 1000;

/// Maximum total size of these values, and of a file of theirs.
const MAX_BYTES: usize = 1 << 20;

/// Maximum size of what is read at a time: as much as may be known, and as much again in
/// files that hold the same, or more than the job may add.
const MAX_READ_BYTES: usize = 2 * MAX_BYTES;

/// Maximum size of all forms of the job's values but those of C-22; 1,000 tokens of 40
/// bytes take 7 MiB. Only the first half is for rare ones.
const MAX_FORMS_BYTES: usize = 6 << 20;

/// Memory that a form takes in the engine's tables, beside its bytes; and that a byte of a
/// form that is text takes in the filters of the views.
const BYTES_PER_FORM: usize = 256;
const BYTES_PER_BYTE_OF_TEXT: usize = 4;

/// The forms of a value but the rare ones take at least as many times its size.
const MIN_GROWTH: usize = 12;

/// The forms in which a value is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Extent {
    /// It is not looked for.
    Nothing,
    /// Those of C-22.
    Least,
    /// All but the rare ones.
    WithoutRare,
    /// All.
    All,
}

impl Extent {
    /// Returns these forms of a value.
    pub(super) fn forms(self, value: &[u8]) -> Vec<(Encoding, Pattern)> {
        let trimmed = trim(value);
        match self {
            Self::Nothing => Vec::new(),
            Self::Least => least_encodings(value, trimmed),
            Self::WithoutRare => encodings(value, trimmed),
            Self::All => {
                let mut forms = encodings(value, trimmed);
                forms.extend(rare_encodings(trimmed));
                forms
            }
        }
    }
}

/// The remaining allowance of the job.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    values: usize,
    bytes: usize,
    forms: usize,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { values: MAX_VALUES, bytes: MAX_BYTES, forms: MAX_FORMS_BYTES }
    }
}

impl Allowance {
    /// Takes a value from the allowance if it fits, in as many forms as fit.
    pub(super) fn take(&mut self, value: &[u8]) -> Extent {
        if self.values == 0 || value.len() > self.bytes {
            return Extent::Nothing;
        }
        self.values -= 1;
        self.bytes -= value.len();
        for (extent, kept) in [(Extent::All, MAX_FORMS_BYTES / 2), (Extent::WithoutRare, 0)] {
            let room = self.forms.saturating_sub(kept);
            // The forms of a value that cannot fit are not even made.
            let size = if value.len() * MIN_GROWTH > room { None } else { Some(size(&extent.forms(value))) };
            if let Some(size) = size.filter(|size| *size <= room) {
                self.forms -= size;
                return extent;
            }
        }
        Extent::Least
    }

    /// Returns the number of values taken.
    pub(super) fn taken(&self) -> usize {
        MAX_VALUES - self.values
    }
}

fn size(forms: &[(Encoding, Pattern)]) -> usize {
    let size = |(encoding, pattern): &(Encoding, Pattern)| {
        let in_filters = if encoding.is_text() { BYTES_PER_BYTE_OF_TEXT } else { 0 };
        BYTES_PER_FORM + pattern.bytes().len() * (1 + in_filters)
    };
    forms.iter().map(size).sum()
}

/// The room for what is read of the job's files at a time.
#[derive(Debug)]
pub(super) struct Room {
    files: usize,
    bytes: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self { files: MAX_VALUES, bytes: MAX_READ_BYTES }
    }
}

impl Room {
    /// Reads a whole file; `None` if there is no room for it.
    pub(super) fn read(&mut self, file: &File) -> io::Result<Option<SecretBytes>> {
        let size = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        if self.files == 0 || size.min(MAX_BYTES) > self.bytes {
            return Ok(None);
        }
        self.files -= 1;
        let content = read(file, MAX_BYTES)?;
        self.bytes = self.bytes.saturating_sub(content.len());
        Ok(Some(content))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(number: usize, length: usize) -> Vec<u8> {
        format!("{number:07x}{}", "aZ3kQ9".repeat(length)).into_bytes()[..length].to_vec()
    }

    #[test]
    fn tokens_have_all_forms_and_large_values_fewer() {
        let mut allowance = Allowance::default();
        let extents = |allowance: &mut Allowance, length| {
            let mut extents: Vec<_> =
                (0..1000).map(|number| allowance.take(&token(number, length))).collect();
            extents.dedup();
            extents
        };
        assert_eq!(extents(&mut allowance, 40), [Extent::All, Extent::WithoutRare]);
        assert_eq!(extents(&mut allowance, 40), [Extent::Nothing]);
        assert_eq!(
            extents(&mut Allowance::default(), 1000),
            [Extent::All, Extent::WithoutRare, Extent::Least]
        );
        assert_eq!(Allowance::default().take(&vec![b'x'; MAX_BYTES]), Extent::Least);
        assert_eq!(Allowance::default().take(&vec![b'x'; MAX_BYTES + 1]), Extent::Nothing);
    }

    #[test]
    fn i8_all_that_a_job_adds_is_bounded_in_its_forms() {
        let values: [fn(usize) -> Vec<u8>; 4] = [
            |number| token(number, 1000),
            |number| {
                (0..60).flat_map(|line| [token(number * 60 + line, 16), b"\n".to_vec()].concat()).collect()
            },
            |number| token(number, 500).into_iter().flat_map(|byte| [b'"', byte]).collect(),
            |number| token(number, 1000).into_iter().map(|byte| byte.wrapping_mul(7) | 0x80).collect(),
        ];
        for value in values {
            let mut allowance = Allowance::default();
            let bytes: usize =
                (0..1000).map(|number| size(&allowance.take(&value(number)).forms(&value(number)))).sum();
            assert!(bytes <= MAX_FORMS_BYTES + 8 * MAX_BYTES + 3 * MAX_VALUES * BYTES_PER_FORM, "{bytes}");
        }
    }
}
