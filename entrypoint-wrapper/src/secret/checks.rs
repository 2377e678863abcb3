//! Checks for what the API server would refuse in a Secret, by file name and before
//! anything is sent (contract W-95).

use anyhow::{Result, bail};

/// Kubernetes' `MaxSecretSize`: bytes of all values together.
pub(crate) const MAX_SIZE: u64 = 1024 * 1024;

/// Kubernetes' longest key (`DNS1123SubdomainMaxLength`).
const MAX_NAME_BYTES: usize = 253;

/// A message names at most this many files.
const MAX_SHOWN: usize = 5;

/// Checks the names of all files.
pub(super) fn names<'a>(names: impl Iterator<Item = &'a [u8]>) -> Result<()> {
    let bad: Vec<String> = names
        .filter_map(|name| {
            let reason = name_problem(name)?;
            Some(format!("{:?} ({reason})", String::from_utf8_lossy(&name[..name.len().min(80)])))
        })
        .collect();
    if bad.is_empty() {
        return Ok(());
    }
    bail!(
        "a Secret cannot hold files of these names: {}; allowed are letters, digits, `-`, `_` and `.`, at most {MAX_NAME_BYTES} \
         of them, and no `..` at the start",
        listed(&bad)
    )
}

fn name_problem(name: &[u8]) -> Option<String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if name.len() > MAX_NAME_BYTES {
        return Some(format!("{} bytes long", name.len()));
    }
    if name == b"." || name.starts_with(b"..") {
        return Some("begins with `..`".to_owned());
    }
    let bad = String::from_utf8_lossy(name).chars().find(|c| !c.is_ascii() || !allowed(*c as u8))?;
    Some(format!("holds {bad:?}"))
}

/// Checks the size of all files together.
pub(super) fn size<'a>(files: impl Iterator<Item = (&'a str, u64)>) -> Result<()> {
    let mut files: Vec<(&str, u64)> = files.collect();
    let total = files.iter().fold(0_u64, |sum, file| sum.saturating_add(file.1));
    if total <= MAX_SIZE {
        return Ok(());
    }
    files.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let largest: Vec<String> = files.iter().map(|(name, size)| format!("{name} ({size} bytes)")).collect();
    bail!("the files have {total} bytes, a Secret holds {MAX_SIZE}; the largest: {}", listed(&largest))
}

/// The first few, and how many more.
pub(super) fn listed(items: &[String]) -> String {
    let shown = items[..items.len().min(MAX_SHOWN)].join(", ");
    match items.len().saturating_sub(MAX_SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w_95_names_that_the_server_would_refuse() {
        let long = [b'a'; 253];
        for good in [&b"kubeconfig"[..], b"a.B-c_9", b".hidden", b"a..b", b"-", &long] {
            assert!(names(std::iter::once(good)).is_ok(), "{good:?}");
        }
        for (bad, reason) in [
            (&b"a b"[..], "holds ' '"),
            (b"..a", "begins with"),
            (b"\xff", "holds"),
            ("ä".as_bytes(), "holds 'ä'"),
            (b"a~", "holds '~'"),
            (b"new\nline", "holds '\\n'"),
            (&[b'a'; 254], "254 bytes"),
        ] {
            let told = names(std::iter::once(bad)).expect_err("refused").to_string();
            assert!(told.contains(reason) && told.lines().count() == 1, "{told}");
        }
    }

    #[test]
    fn all_bad_names_are_told_while_they_are_few() {
        let bad: Vec<String> = (0..7).map(|number| format!("{number} ~")).collect();
        let told =
            names(bad.iter().map(String::as_bytes).chain([&b"good"[..]])).expect_err("refused").to_string();
        assert!(told.contains("\"0 ~\"") && told.contains("\"4 ~\"") && !told.contains("\"5 ~\""), "{told}");
        assert!(told.contains("and 2 more") && !told.contains("good"), "{told}");
    }

    #[test]
    fn the_largest_files_are_told_when_all_are_too_large() {
        assert!(size([("a", MAX_SIZE - 1), ("b", 1)].into_iter()).is_ok());
        let told = size([("small", 1), ("big", MAX_SIZE), ("middle", 20)].into_iter())
            .expect_err("too large")
            .to_string();
        assert!(told.contains("big (1048576 bytes), middle (20 bytes), small"), "{told}");
        assert!(size([("a", u64::MAX), ("b", u64::MAX)].into_iter()).is_err());
    }
}
