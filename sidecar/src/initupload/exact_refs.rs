//! Refs as they were written, for comparison (I-10).

use common::job_spec::{JobSpecError, Refs};
use common::json::{self, Document, JsonError, Notes, Raw};

/// Refs that are equal only when they were written alike: an absent list differs
/// from an empty one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExactRefs {
    /// The refs.
    pub refs: Refs,
    has_pulls: bool,
    has_sparse_checkout_files: bool,
}

impl Document for ExactRefs {
    const KEYS: &'static [&'static str] = Refs::KEYS;

    fn set(&mut self, key: &'static str, value: Raw<'_>, notes: &mut Notes) -> Result<(), JsonError> {
        match key {
            "pulls" => self.has_pulls = !value.is_null(),
            "sparse_checkout_files" => self.has_sparse_checkout_files = !value.is_null(),
            _ => {}
        }
        self.refs.set(key, value, notes)
    }
}

/// The refs of a job, as they were written.
#[derive(Clone, Debug, Default)]
struct JobRefs {
    refs: Option<ExactRefs>,
    extra_refs: Vec<ExactRefs>,
}

impl Document for JobRefs {
    const KEYS: &'static [&'static str] = &["refs", "extra_refs"];

    fn set(&mut self, key: &'static str, value: Raw<'_>, notes: &mut Notes) -> Result<(), JsonError> {
        match key {
            "refs" => value.set_optional(&mut self.refs, notes),
            "extra_refs" => value.set_list(&mut self.extra_refs, notes),
            _ => unreachable!("only the keys above are passed"),
        }
    }
}

/// Returns the main refs (J-10) of the job specification in `text`.
pub(super) fn main_refs(text: &str) -> Result<Option<ExactRefs>, JobSpecError> {
    let mut job = JobRefs::default();
    // Unknown keys are noted when the whole specification is parsed.
    json::decode(&mut job, text)?;
    Ok(job.refs.or_else(|| job.extra_refs.into_iter().find(|exact| !exact.refs.auxiliary)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn main_of(text: &str) -> Option<ExactRefs> {
        main_refs(text).expect("parses")
    }

    #[test]
    fn i_10_an_absent_list_and_an_empty_one_differ() {
        let refs = |more: &str| main_of(&format!(r#"{{"refs":{{"org":"o","repo":"r"{more}}}}}"#));
        assert_eq!(refs(""), refs(r#","pulls":null,"workdir":false,"other":1"#));
        for different in [r#","pulls":[]"#, r#","sparse_checkout_files":[]"#, r#","blobless_fetch":false"#] {
            assert_ne!(refs(""), refs(different), "{different}");
            assert_eq!(refs(different), refs(different));
        }
    }

    #[test]
    fn j_10_main_refs() {
        let org = |text: &str| main_of(text).map(|exact| exact.refs.org);
        let extra = r#""extra_refs":[{"org":"a","auxiliary":true},{"org":"b"},{"org":"c"}]"#;
        assert_eq!(org(&format!(r#"{{"refs":{{"org":"m"}},{extra}}}"#)).as_deref(), Some("m"));
        assert_eq!(org(&format!("{{{extra}}}")).as_deref(), Some("b"));
        assert_eq!(org("{}"), None);
    }
}
