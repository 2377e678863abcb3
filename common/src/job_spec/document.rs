//! `JOB_SPEC` from JSON.

use super::{DecorationConfig, JobSpec, JobType, Pull, Refs};
use crate::json::{Decode, JsonError, Notes, Raw};

// Neither the form of `decoration_config` nor its other keys matter (J-22).
crate::document!(JobSpec {
    job_type as "type",
    job,
    build_id as "buildid",
    prow_job_id as "prowjobid",
    refs,
    extra_refs,
    decoration_config or null,
});

crate::document!(DecorationConfig { timeout or null, grace_period or null });

crate::document!(Refs {
    org,
    repo,
    repo_link,
    base_ref,
    base_sha,
    base_link,
    pulls,
    path_alias,
    workdir,
    auxiliary,
    clone_uri,
    skip_submodules,
    clone_depth,
    skip_fetch_head,
    blobless_fetch,
    sparse_checkout_files,
});

crate::document!(Pull { number, author, sha, title, git_ref as "ref", head_ref, link, commit_link, author_link });

impl Decode for JobType {
    fn decode(&mut self, value: Raw<'_>, notes: &mut Notes) -> Result<(), JsonError> {
        let mut text = self.to_string();
        text.decode(value, notes)?;
        *self = Self::from(text.as_str());
        Ok(())
    }
}
