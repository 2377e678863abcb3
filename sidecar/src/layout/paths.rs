//! The keys of all objects but the items' files, and the content of the pointers
//! among them (contract 4.1, 4.2, 3.5).

use crate::destination::Destination;
use crate::options::UploadOptions;
use common::entry::Entry;
use common::job_spec::JobSpec;
use common::paths::{self, PathError, PathStrategy};

/// `finished.json`, the last object of a pass.
pub const FINISHED: &str = "finished.json";
/// The manifest of a final pass.
pub const MANIFEST: &str = "manifest.json";
/// Sidecar's own log.
pub const OWN_LOG: &str = job_page::manifest::OWN_LOG;
/// The page, where it is wanted.
pub const PAGE: &str = job_page::html::FILE_NAME;
/// Appended to the key of an object that cannot be censored.
pub const WITHHELD_SUFFIX: &str = ".withheld.txt";

/// Names at the upload path that belong to sidecar and initupload (contract
/// sections 3 and 7).
const RESERVED: &[&str] =
    &[FINISHED, MANIFEST, OWN_LOG, "build-log.txt", "started.json", "clone-log.txt", "clone-records.json"];

/// A small object that points to a job run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    /// Its key.
    pub key: String,
    /// Its content, without a newline.
    pub content: String,
}

/// Where the objects of a job run belong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectPaths {
    /// The upload path; empty with `local_output_dir`.
    pub upload: String,
    /// A presubmit's alias.
    pub alias: Option<Pointer>,
    /// The objects that hold the latest build id.
    pub latest_build: Vec<Pointer>,
}

impl ObjectPaths {
    /// Computes the paths of a job run (U-1 … U-14).
    pub fn new(options: &UploadOptions, spec: &JobSpec, strategy: &PathStrategy) -> Result<Self, PathError> {
        let job_path = paths::join(&[&options.path_prefix, &paths::job_path(spec, strategy)?]);
        let latest = paths::latest_build_paths(spec, Some(strategy))?;
        let pointer =
            |key: String, content: &str| Pointer { key: rootless(&key), content: content.to_owned() };
        Ok(Self {
            upload: rootless(&paths::join(&[&job_path, &options.sub_dir])),
            alias: paths::alias_path(spec).map(|key| pointer(key, &base_path(&options.bucket, &job_path))),
            latest_build: latest.into_iter().map(|key| pointer(key, &spec.build_id)).collect(),
        })
    }

    /// Returns the key of a name at the upload path.
    pub fn key(&self, name: &str) -> String {
        match (self.upload.as_str(), name) {
            ("", name) => name.to_owned(),
            (upload, "") => upload.to_owned(),
            (upload, name) => format!("{upload}/{name}"),
        }
    }

    /// Returns whether a name at the upload path belongs to these programs: a fixed
    /// one, or a build log of these entries.
    pub fn is_reserved(name: &str, build_logs: &[String]) -> bool {
        RESERVED.contains(&name) || build_logs.iter().any(|log| log == name)
    }
}

/// Returns the full base path, as an alias holds it (U-11). It says where the objects are: an
/// untidy prefix is another one in keys.
fn base_path(bucket: &str, job_path: &str) -> String {
    if let Ok(destination) = Destination::parse(bucket)
        && destination.untidy_prefix().is_some()
    {
        return format!("{}/{job_path}", destination.tidy());
    }
    if bucket.contains("://") {
        format!("{bucket}/{job_path}")
    } else {
        format!("gs://{}", paths::join(&[bucket, job_path]))
    }
}

/// Strips leading slashes: keys never have any.
fn rootless(path: &str) -> String {
    path.trim_start_matches('/').to_owned()
}

/// Returns the name of each entry's build log, in their order (S-40).
pub fn build_log_names(entries: &[Entry]) -> Vec<String> {
    match entries {
        [_] => vec!["build-log.txt".to_owned()],
        entries => entries.iter().map(|entry| format!("{}-build-log.txt", entry.container_name)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::job_spec::{JobType, Pull, Refs};

    fn spec(job_type: JobType) -> JobSpec {
        let pull = Pull { number: 1, ..Pull::default() };
        let refs = Refs { org: "org".into(), repo: "repo".into(), pulls: vec![pull], ..Refs::default() };
        JobSpec {
            job_type,
            job: "job".into(),
            build_id: "build".into(),
            refs: Some(refs),
            ..JobSpec::default()
        }
    }

    fn object_paths(job_type: JobType, options: &UploadOptions) -> ObjectPaths {
        ObjectPaths::new(options, &spec(job_type), &PathStrategy::Explicit).expect("has a path")
    }

    fn options(bucket: &str, path_prefix: &str, sub_dir: &str) -> UploadOptions {
        UploadOptions {
            bucket: bucket.into(),
            path_prefix: path_prefix.into(),
            sub_dir: sub_dir.into(),
            ..UploadOptions::default()
        }
    }

    #[test]
    fn alias_says_where_the_objects_are() {
        let alias = |bucket: &str| {
            let paths = object_paths(JobType::Presubmit, &options(bucket, "", ""));
            paths.alias.expect("an alias").content
        };
        assert_eq!(alias("s3://b/a//x/./y"), "s3://b/a/x/y/pr-logs/pull/org_repo/1/job/build");
        assert_eq!(alias("gs://b/"), "gs://b//pr-logs/pull/org_repo/1/job/build", "U-11");
    }

    #[test]
    fn vectors_v_gt_1_to_3() {
        let paths = object_paths(JobType::Presubmit, &options("bucket", "", ""));
        let keys = |pointers: &[Pointer]| pointers.iter().map(|p| p.key.clone()).collect::<Vec<_>>();
        assert_eq!(paths.alias.as_ref().expect("an alias").key, "pr-logs/directory/job/build.txt", "V-GT-1");
        assert_eq!(
            keys(&paths.latest_build),
            ["pr-logs/directory/job/latest-build.txt", "pr-logs/pull/org_repo/1/job/latest-build.txt"],
            "V-GT-1"
        );
        assert_eq!(paths.key("something"), "pr-logs/pull/org_repo/1/job/build/something", "V-GT-3");
        let paths = object_paths(JobType::Periodic, &options("bucket", "", ""));
        assert_eq!(
            (paths.alias, keys(&paths.latest_build)),
            (None, vec!["logs/job/latest-build.txt".to_owned()]),
            "V-GT-2"
        );
    }

    #[test]
    fn u_11_the_alias_holds_the_base_path_without_sub_dir() {
        const PATH: &str = "pre/fix/pr-logs/pull/org_repo/1/job/build";
        let content = |bucket: &str| {
            let paths = object_paths(JobType::Presubmit, &options(bucket, "pre/fix", "sub"));
            paths.alias.expect("an alias").content
        };
        assert_eq!(content("bucket/"), format!("gs://bucket/{PATH}"));
        assert_eq!(content("s3://bucket"), format!("s3://bucket/{PATH}"));
        assert_eq!(content("gs://bucket/"), format!("gs://bucket//{PATH}"));
    }

    #[test]
    fn u_2_u_3_u_13_prefix_and_sub_dir_belong_to_the_upload_path_only() {
        let paths = object_paths(JobType::Periodic, &options("b", "/pre", "sub/"));
        assert_eq!(paths.upload, "pre/logs/job/build/sub");
        assert_eq!(
            paths.latest_build[0],
            Pointer { key: "logs/job/latest-build.txt".into(), content: "build".into() }
        );
    }

    #[test]
    fn s_40_build_logs_are_named_by_container_when_there_are_several() {
        let entry = |name: &str| Entry { container_name: name.into(), ..Entry::default() };
        assert_eq!(build_log_names(&[entry("test")]), ["build-log.txt"], "V-SL-1");
        assert_eq!(
            build_log_names(&[entry("test1"), entry("test2"), entry("")]),
            ["test1-build-log.txt", "test2-build-log.txt", "-build-log.txt"],
            "V-SL-2"
        );
    }

    #[test]
    fn an_unknown_type_has_no_place() {
        let spec = spec(JobType::Other("x".into()));
        assert!(ObjectPaths::new(&options("b", "", ""), &spec, &PathStrategy::Explicit).is_err());
    }
}
