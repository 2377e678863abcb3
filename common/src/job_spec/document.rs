//! `JOB_SPEC` from JSON.

use super::{DecorationConfig, JobSpec, JobType, Pull, Refs};
use crate::json::{Document, JsonError, Notes, Raw};

impl Document for JobSpec {
    const KEYS: &'static [&'static str] =
        &["type", "job", "buildid", "prowjobid", "refs", "extra_refs", "decoration_config"];

    fn set(&mut self, key: &'static str, value: Raw<'_>, notes: &mut Notes) -> Result<(), JsonError> {
        match key {
            "type" => {
                let mut text = self.job_type.to_string();
                value.set_string(&mut text)?;
                self.job_type = JobType::from(text.as_str());
                Ok(())
            }
            "job" => value.set_string(&mut self.job),
            "buildid" => value.set_string(&mut self.build_id),
            "prowjobid" => value.set_string(&mut self.prow_job_id),
            "refs" => value.set_optional(&mut self.refs, notes),
            "extra_refs" => value.set_list(&mut self.extra_refs, notes),
            "decoration_config" => {
                // Neither its form nor its other keys matter here (J-22).
                if value.set_optional(&mut self.decoration_config, &mut Notes::default()).is_err() {
                    self.decoration_config = None;
                }
                Ok(())
            }
            _ => unreachable!("only the keys above are passed"),
        }
    }
}

impl Document for DecorationConfig {
    const KEYS: &'static [&'static str] = &["timeout", "grace_period"];

    fn set(&mut self, key: &'static str, value: Raw<'_>, _notes: &mut Notes) -> Result<(), JsonError> {
        let field = match key {
            "timeout" => &mut self.timeout,
            "grace_period" => &mut self.grace_period,
            _ => unreachable!("only the keys above are passed"),
        };
        if value.set_option(field, Raw::set_duration).is_err() {
            *field = None;
        }
        Ok(())
    }
}

impl Document for Refs {
    const KEYS: &'static [&'static str] = &[
        "org",
        "repo",
        "repo_link",
        "base_ref",
        "base_sha",
        "base_link",
        "pulls",
        "path_alias",
        "workdir",
        "auxiliary",
        "clone_uri",
        "skip_submodules",
        "clone_depth",
        "skip_fetch_head",
        "blobless_fetch",
        "sparse_checkout_files",
    ];

    fn set(&mut self, key: &'static str, value: Raw<'_>, notes: &mut Notes) -> Result<(), JsonError> {
        match key {
            "org" => value.set_string(&mut self.org),
            "repo" => value.set_string(&mut self.repo),
            "repo_link" => value.set_string(&mut self.repo_link),
            "base_ref" => value.set_string(&mut self.base_ref),
            "base_sha" => value.set_string(&mut self.base_sha),
            "base_link" => value.set_string(&mut self.base_link),
            "pulls" => value.set_list(&mut self.pulls, notes),
            "path_alias" => value.set_string(&mut self.path_alias),
            "workdir" => value.set_bool(&mut self.workdir),
            "auxiliary" => value.set_bool(&mut self.auxiliary),
            "clone_uri" => value.set_string(&mut self.clone_uri),
            "skip_submodules" => value.set_bool(&mut self.skip_submodules),
            "clone_depth" => value.set_i64(&mut self.clone_depth),
            "skip_fetch_head" => value.set_bool(&mut self.skip_fetch_head),
            "blobless_fetch" => value.set_option(&mut self.blobless_fetch, Raw::set_bool),
            "sparse_checkout_files" => value.set_strings(&mut self.sparse_checkout_files),
            _ => unreachable!("only the keys above are passed"),
        }
    }
}

impl Document for Pull {
    const KEYS: &'static [&'static str] =
        &["number", "author", "sha", "title", "ref", "head_ref", "link", "commit_link", "author_link"];

    fn set(&mut self, key: &'static str, value: Raw<'_>, _notes: &mut Notes) -> Result<(), JsonError> {
        match key {
            "number" => value.set_i64(&mut self.number),
            "author" => value.set_string(&mut self.author),
            "sha" => value.set_string(&mut self.sha),
            "title" => value.set_string(&mut self.title),
            "ref" => value.set_string(&mut self.git_ref),
            "head_ref" => value.set_string(&mut self.head_ref),
            "link" => value.set_string(&mut self.link),
            "commit_link" => value.set_string(&mut self.commit_link),
            "author_link" => value.set_string(&mut self.author_link),
            _ => unreachable!("only the keys above are passed"),
        }
    }
}
