//! Requests and limits as a pod has them.

use super::field_path::{FieldPath, Finding};

/// Requests and limits of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Amounts {
    pub(super) cpu_limit: Option<String>,
    memory_limit: Option<String>,
    cpu_request: Option<String>,
    memory_request: Option<String>,
}

impl Amounts {
    pub(super) fn read(at: &FieldPath<'_>) -> Result<Self, Finding> {
        let amount = |of: &str, key: &str| at.keys(&[of, key]).quantity();
        Ok(Self {
            cpu_limit: amount("limits", "cpu")?,
            memory_limit: amount("limits", "memory")?,
            cpu_request: amount("requests", "cpu")?,
            memory_request: amount("requests", "memory")?,
        })
    }

    /// Returns whether requests are limits; a request that is missing is its limit.
    pub(super) fn is_guaranteed(&self) -> bool {
        let is_same = |limit: &Option<String>, request: &Option<String>| match (limit, request) {
            (Some(limit), Some(request)) => milli(limit).is_some() && milli(limit) == milli(request),
            (Some(_), None) => true,
            (None, _) => false,
        };
        is_same(&self.cpu_limit, &self.cpu_request) && is_same(&self.memory_limit, &self.memory_request)
    }
}

/// Returns a quantity of Kubernetes in thousandths; `None` if it is none.
pub(super) fn milli(text: &str) -> Option<i128> {
    const SUFFIXES: [(&str, i128); 14] = [
        ("Ki", 1 << 10),
        ("Mi", 1 << 20),
        ("Gi", 1 << 30),
        ("Ti", 1 << 40),
        ("Pi", 1 << 50),
        ("Ei", 1 << 60),
        ("m", 0),
        ("k", 1_000),
        ("M", 1_000_000),
        ("G", 1_000_000_000),
        ("T", 1_000_000_000_000),
        ("P", 1_000_000_000_000_000),
        ("E", 1_000_000_000_000_000_000),
        ("", 1),
    ];
    let (number, factor) =
        SUFFIXES.iter().find_map(|(suffix, factor)| Some((text.strip_suffix(suffix)?, factor)))?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 18 || fraction.len() > 9 || !is_number(whole) || !is_number(fraction)
    {
        return None;
    }
    let nanos: i128 = format!("{whole}{fraction:0<9}").parse().ok()?;
    Some(if *factor == 0 { nanos / 1_000_000_000 } else { nanos * factor / 1_000_000 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_compared_by_value() {
        assert_eq!(milli("1"), milli("1000m"));
        assert_eq!(milli("0.5"), milli("500m"));
        assert_eq!(milli("1Gi"), milli("1024Mi"));
        assert_eq!(milli("1.5k"), Some(1_500_000));
        for text in ["", "x", "-1", "1 Gi", ".5", "1e3", "m"] {
            assert_eq!(milli(text), None, "{text}");
        }
    }
}
