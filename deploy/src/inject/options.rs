//! The flags of `podutils inject`, and what they mean.

use super::azure::{self, Azure};
use super::collector::Collector;
use super::decoration::{Build, Decoration, Images, Out};
use super::flags;
use super::overlay::Overlays;
use super::resources::Resources;
use super::selection::Selection;
use super::template_path::TemplatePath;
use super::workloads::Search;
use crate::terminal::Problem;
use clap::ArgMatches;
use common::duration::GoDuration;
use common::job_spec::{DecorationConfig, JobSpec, JobType};
use common::options::fill;
use entrypoint::options::{DEFAULT_GRACE_PERIOD, DEFAULT_TIMEOUT};
use serde_json::json;
use sidecar::destination::Destination;
use sidecar::options::{LimitOptions, UploadOptions};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The command line, understood.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The file to read; standard input when there is none.
    pub(super) file: Option<PathBuf>,
    pub(super) search: Search,
    pub(super) mode: Mode,
}

#[derive(Clone, Debug)]
pub(super) enum Mode {
    /// Say what cannot work in pods that are decorated.
    Check,
    /// Be a function of a KRM pipeline, which brings its options along.
    Krm,
    Inject {
        decoration: Box<Decoration>,
        explain: bool,
    },
}

impl Options {
    /// Gives the flags their meaning.
    pub(crate) fn from_matches(matches: &ArgMatches) -> Result<Self, Problem> {
        let file = matches.get_one::<PathBuf>(flags::FILE).cloned();
        let mode = if matches.get_flag("check") {
            Mode::Check
        } else if matches.get_flag("krm") {
            Mode::Krm
        } else {
            let decoration = Box::new(Decoration::from_matches(matches)?);
            Mode::Inject { decoration, explain: matches.get_flag("explain") }
        };
        let file = file.filter(|file| file.as_os_str() != "-");
        Ok(Self { file, search: search(matches)?, mode })
    }
}

fn text(matches: &ArgMatches, id: &str) -> Option<String> {
    matches.get_one::<String>(id).filter(|text| !text.is_empty()).cloned()
}

fn list(matches: &ArgMatches, id: &str) -> Vec<String> {
    matches.get_many::<String>(id).unwrap_or_default().cloned().collect()
}

impl Decoration {
    fn from_matches(matches: &ArgMatches) -> Result<Self, Problem> {
        let time = |id: &str, default| matches.get_one(id).copied().unwrap_or(default);
        let timeout = time("timeout", DEFAULT_TIMEOUT);
        let grace_period = time("grace-period", DEFAULT_GRACE_PERIOD);
        let (job, build) = job(matches, timeout, grace_period)?;
        let build_is_default = job.build_id.is_empty() && !matches.contains_id("build-id-from");
        let out = out(matches)?;
        let decoration = Self {
            job,
            build,
            azure: azure(matches, &out)?,
            collector: Collector::new(text(matches, "otlp-endpoint"), text(matches, "otlp-secret"))?,
            out,
            upload: upload(matches)?,
            gcs_secret: text(matches, "gcs-credentials-secret"),
            s3_secret: text(matches, "s3-credentials-secret"),
            images: images(matches)?,
            image_volume: matches.get_flag("image-volume"),
            containers: list(matches, "container"),
            in_order: matches.get_flag("in-order"),
            native: matches.get_flag("native-sidecar"),
            report_page: !matches.get_flag("no-report-page"),
            initupload: matches.get_flag("initupload"),
            timeout,
            grace_period,
            interrupt: matches.get_one("interrupt").copied(),
            stop_signals: matches.get_many("stop-signal").unwrap_or_default().copied().collect(),
            upload_budget: matches.get_one("upload-budget").copied(),
            start_timeout: time("start-timeout", flags::DEFAULT_START_TIMEOUT),
            ignore_interrupts: matches.get_flag("ignore-interrupts"),
            propagate_error_code: matches.get_flag("propagate-error-code"),
            censor: !matches.get_flag("no-censor"),
            secrets: list(matches, "secrets"),
            run_as: matches.get_one("run-as").copied().unwrap_or(flags::DEFAULT_RUN_AS),
            home: matches.get_one("home").cloned().unwrap_or_default(),
            resources: Resources::parse(&list(matches, "resources"))?,
            overlays: overlays(matches)?,
            build_is_default,
        };
        decoration.check_credentials()?;
        for path in &decoration.secrets {
            if !path.starts_with('/') {
                return Err(Problem::new(format!(
                    "--secrets {path}: allowed is an absolute path in a container"
                )));
            }
        }
        let bucket = match &decoration.out {
            Out::Bucket(bucket) => bucket.clone(),
            Out::Directory(_) | Out::Folders(_) => "file:///output".to_owned(),
        };
        let upload = decoration.overlays.over_upload(decoration.upload.clone());
        // What is not known yet is no worse than a letter.
        let known = |text: &String| if text.is_empty() { "x".to_owned() } else { text.clone() };
        let spec = JobSpec {
            job: known(&decoration.job.job),
            build_id: known(&decoration.job.build_id),
            ..decoration.job.clone()
        };
        sidecar::settings::check_upload(&UploadOptions { bucket, ..upload }, &spec)
            .map_err(|error| Problem::new(error.to_string().replacen("bucket", "--out", 1)))?;
        Ok(decoration)
    }

    /// Credentials for another store than that of `--out` would never be used.
    fn check_credentials(&self) -> Result<(), Problem> {
        let Out::Bucket(bucket) = &self.out else { return Ok(()) };
        let azure = self.azure.account.is_some() || self.azure.secret.is_some();
        for (flag, scheme, is_given) in [
            ("--gcs-credentials-secret", "gs://", self.gcs_secret.is_some()),
            ("--s3-credentials-secret", "s3://", self.s3_secret.is_some()),
            ("--azure-account or --azure-credentials-secret", "az://", azure),
        ] {
            if is_given && !bucket.starts_with(scheme) {
                return Err(Problem::new(format!("{flag} is for {scheme}, but --out is {bucket}")));
            }
        }
        Ok(())
    }
}

/// Which documents are searched for pods, and how.
fn search(matches: &ArgMatches) -> Result<Search, Problem> {
    let selector = text(matches, "selector");
    let paths = list(matches, "path");
    Ok(Search {
        pass_unknown: text(matches, "unknown-kinds").is_some_and(|what| what == "pass"),
        paths: paths
            .iter()
            .map(|path| TemplatePath::parse(path))
            .collect::<Result<_, _>>()
            .map_err(Problem::new)?,
        selection: Selection::parse(&list(matches, "select"), selector.as_deref()).map_err(Problem::new)?,
    })
}

/// Options of the programs, those with a flag of their own first.
fn overlays(matches: &ArgMatches) -> Result<Overlays, Problem> {
    let mut overlays = Overlays::default();
    if let Some(scope) = text(matches, "signal-scope") {
        overlays.add_entrypoint(&json!({"supervision": {"signal_scope": scope}}), "--signal-scope")?;
    }
    let steps = list(matches, "escalation");
    if !steps.is_empty() {
        let step = |text: &String| match text.split_once('=') {
            Some((signal, after)) => Ok(json!({"signal": signal, "after": after})),
            None => {
                Err(Problem::new(format!("--escalation {text}: allowed is SIGNAL=TIME, such as SIGTERM=10s")))
            }
        };
        let steps: Vec<_> = steps.iter().map(step).collect::<Result<_, _>>()?;
        overlays.add_entrypoint(&json!({"supervision": {"escalation": steps}}), "--escalation")?;
    }
    let structured = list(matches, "structured-filename");
    if !structured.is_empty() {
        let object = json!({"censoring_options": {"structured_filenames": structured}});
        overlays.add_sidecar(&object, "--structured-filename")?;
    }
    if matches.get_flag("strict") {
        overlays.add_sidecar(&json!({"censoring_options": {"strict": true}}), "--strict")?;
    }
    let mut limits = LimitOptions::default();
    fill(&mut limits, matches).map_err(|error| Problem::new(error.to_string()))?;
    if limits != LimitOptions::default() {
        overlays.add_sidecar(&json!({"delivery": {"limits": limits}}), "--limit-…")?;
    }
    for text in list(matches, "option") {
        overlays.add_option(&text)?;
    }
    Ok(overlays)
}

/// The storage account, which `az://` needs.
fn azure(matches: &ArgMatches, out: &Out) -> Result<Azure, Problem> {
    let azure = Azure {
        account: text(matches, "azure-account"),
        secret: text(matches, "azure-credentials-secret"),
        identity: matches.get_flag("azure-workload-identity"),
    };
    match out {
        Out::Bucket(bucket)
            if azure::is_azure(bucket) && azure.account.is_none() && azure.secret.is_none() =>
        {
            Err(Problem::new(format!(
                "--out {bucket}: of which storage account? Allowed is --azure-account NAME, or \
                 --azure-credentials-secret NAME with AZURE_STORAGE_CONNECTION_STRING in it"
            )))
        }
        Out::Bucket(_) | Out::Directory(_) | Out::Folders(_) => Ok(azure),
    }
}

/// The job as far as flags tell it, and where its build id comes from.
fn job(
    matches: &ArgMatches,
    timeout: GoDuration,
    grace_period: GoDuration,
) -> Result<(JobSpec, Build), Problem> {
    let mut job = match text(matches, "job-spec") {
        None => JobSpec { job_type: JobType::Periodic, ..JobSpec::default() },
        Some(json) => JobSpec::parse(&json).map_err(|error| Problem::new(format!("--job-spec: {error}")))?.0,
    };
    if let Some(name) = text(matches, "job") {
        crate::run::job_name(&name)?;
        job.job = name;
    }
    if let Some(kind) = text(matches, "job-type") {
        job.job_type = JobType::from(kind.as_str());
    }
    if let JobType::Other(kind) = &job.job_type {
        let allowed = "allowed is periodic, presubmit, postsubmit or batch";
        return Err(Problem::new(format!("--job-type {kind:?}: {allowed}")));
    }
    if job.refs.is_none() && job.job_type != JobType::Periodic {
        return Err(Problem::new(format!(
            "--job-type {}: such a job needs refs; give the whole job with --job-spec",
            job.job_type
        )));
    }
    if let Some(id) = text(matches, "build-id") {
        if id.contains('/') || id.contains('$') || id.chars().any(char::is_control) {
            return Err(Problem::new(format!(
                "--build-id {id:?}: allowed is a text without slashes, dollar signs and control characters"
            )));
        }
        job.build_id = id;
    }
    let build = match text(matches, "build-id-from") {
        Some(field) if field == "time" => Build::Time,
        Some(field) => Build::Field(field),
        None if job.build_id.is_empty() => Build::Field(flags::DEFAULT_BUILD_FIELD.to_owned()),
        None => Build::Fixed,
    };
    let times = DecorationConfig { timeout: Some(timeout), grace_period: Some(grace_period) };
    job.decoration_config = Some(times);
    Ok((job, build))
}

fn out(matches: &ArgMatches) -> Result<Out, Problem> {
    let Some(out) = text(matches, "out") else {
        return Err(Problem::syntax(
            "--out is missing: where do results go? s3://BUCKET[/PREFIX], gs://BUCKET[/PREFIX], az://CONTAINER[/PREFIX] or a directory of the \
             node",
        ));
    };
    if let Some(path) = out.strip_prefix("file://").filter(|path| path.starts_with('/')) {
        return directory(path).map(Out::Folders);
    }
    if out.starts_with('/') {
        return directory(&out).map(Out::Directory);
    }
    if out.contains("://") {
        return Ok(Out::Bucket(out));
    }
    Err(Problem::new(format!(
        "--out {out}: allowed is s3://BUCKET[/PREFIX], gs://BUCKET[/PREFIX], az://CONTAINER[/PREFIX], or an absolute path \
         of a directory of the node, also as file:///DIRECTORY"
    )))
}

/// Cleans a directory of the node as sidecar cleans its own (U-90): `.` and `//` add nothing.
fn directory(path: &str) -> Result<String, Problem> {
    if path.contains(char::is_control) {
        return Err(Problem::new(format!("--out {path:?}: allowed is a path without control characters")));
    }
    match Destination::parse(&format!("file://{path}")) {
        Ok(destination) => {
            let text = destination.to_string();
            Ok(text.strip_prefix("file://").unwrap_or(&text).to_owned())
        }
        Err(error) => Err(Problem::new(error.to_string().replacen("bucket", "--out", 1))),
    }
}

fn upload(matches: &ArgMatches) -> Result<UploadOptions, Problem> {
    let media_type = |pair: String| match pair.split_once(':') {
        Some((extension, kind)) => Ok((extension.to_owned(), kind.to_owned())),
        None => Err(Problem::new(format!("--media-type {pair}: allowed is EXTENSION:TYPE"))),
    };
    Ok(UploadOptions {
        path_strategy: text(matches, "path-strategy").unwrap_or_else(|| "explicit".to_owned()),
        default_org: text(matches, "default-org").unwrap_or_default(),
        default_repo: text(matches, "default-repo").unwrap_or_default(),
        media_types: list(matches, "media-type").into_iter().map(media_type).collect::<Result<_, _>>()?,
        compress_file_types: list(matches, "compress-file-type"),
        ..UploadOptions::default()
    })
}

fn images(matches: &ArgMatches) -> Result<Images, Problem> {
    let mut each = BTreeMap::new();
    for pair in list(matches, "image") {
        let known = pair
            .split_once('=')
            .filter(|(program, image)| flags::PROGRAMS.contains(program) && !image.is_empty());
        let Some((program, image)) = known else {
            let programs = flags::PROGRAMS.join(", ");
            return Err(Problem::new(format!(
                "--image {pair}: allowed is PROGRAM=IMAGE, and the programs are {programs}"
            )));
        };
        each.insert(program.to_owned(), image.to_owned());
    }
    let tag = text(matches, "image-tag").unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned());
    Ok(Images { prefix: text(matches, "image-prefix"), tag, each })
}
