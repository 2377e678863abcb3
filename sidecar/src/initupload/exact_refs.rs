//! Refs as they were written, for comparison (I-10).

use common::job_spec::{JobSpecError, Refs};
use common::json::{self, Decode, JsonError, Notes, Raw};

/// Refs that are equal only when they were written alike: an absent list differs
/// from an empty one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExactRefs {
    /// The refs.
    pub refs: Refs,
    lists: Lists,
}

/// The lists that are present.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Lists {
    pulls: Presence,
    sparse_checkout_files: Presence,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Presence(bool);

impl Decode for Presence {
    fn decode(&mut self, value: Raw<'_>, _notes: &mut Notes) -> Result<(), JsonError> {
        self.0 = !value.is_null();
        Ok(())
    }
}

common::document!(Lists { pulls, sparse_checkout_files });

impl Decode for ExactRefs {
    fn decode(&mut self, value: Raw<'_>, notes: &mut Notes) -> Result<(), JsonError> {
        self.lists.decode(value, &mut Notes::default())?;
        self.refs.decode(value, notes)
    }
}

/// The refs of a job, as they were written.
#[derive(Clone, Debug, Default)]
struct JobRefs {
    refs: Option<ExactRefs>,
    extra_refs: Vec<ExactRefs>,
}

common::document!(JobRefs { refs, extra_refs });

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
