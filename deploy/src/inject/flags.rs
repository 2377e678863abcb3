//! The definition of the subcommand `inject`.

use super::decoration::{Home, RunAs};
use clap::{Arg, ArgAction, Command, value_parser};
use common::duration::GoDuration;
use common::options::args;
use common::signal::Signal;
use sidecar::options::LimitOptions;
use std::path::PathBuf;

/// The subcommand's name.
pub(crate) const SUBCOMMAND: &str = "inject";

/// The file argument.
pub(super) const FILE: &str = "FILE";

/// Time after which a container that never starts is given up when nothing is said.
pub(super) const DEFAULT_START_TIMEOUT: GoDuration = GoDuration::from_secs(600);

/// The programs that have images.
pub(super) const PROGRAMS: [&str; 4] = ["entrypoint", "sidecar", "initupload", "pod-utils"];

/// Each pod has an id of its own, whatever made it.
pub(super) const DEFAULT_BUILD_FIELD: &str = "metadata.uid";

/// An ordinary user.
pub(super) const DEFAULT_RUN_AS: RunAs = RunAs::User(1000);

fn option(id: &'static str, value: &'static str, help: &str) -> Arg {
    Arg::new(id).long(id).value_name(value).help(help.to_owned())
}

fn many(id: &'static str, value: &'static str, help: &str) -> Arg {
    option(id, value, help).action(ArgAction::Append)
}

fn switch(id: &'static str, help: &str) -> Arg {
    Arg::new(id).long(id).action(ArgAction::SetTrue).help(help.to_owned())
}

fn time(id: &'static str, help: &str) -> Arg {
    option(id, "TIME", help).value_parser(crate::run::duration).allow_hyphen_values(true)
}

fn home(text: &str) -> Result<Home, String> {
    match text {
        "image" => Ok(Home::Image),
        path if path.starts_with('/') && path.len() > 1 => Ok(Home::At(path.to_owned())),
        _ => Err("allowed is an absolute path, or image".to_owned()),
    }
}

fn run_as(text: &str) -> Result<RunAs, String> {
    if text == "image" {
        return Ok(RunAs::Image);
    }
    match text.parse() {
        Ok(user @ 0..=4_294_967_294) => Ok(RunAs::User(user)),
        Ok(_) | Err(_) => Err("allowed is a user id such as 1000, or image".to_owned()),
    }
}

fn stop_signal(text: &str) -> Result<Signal, &'static str> {
    match text.parse() {
        Ok(Signal::KILL | Signal::STOP | Signal::CHLD) => Err("allowed is a signal that a program can catch"),
        Ok(signal) => Ok(signal),
        Err(_) => Err("allowed are names such as SIGWINCH or SIGRTMIN+3"),
    }
}

/// The subcommand's definition.
pub(crate) fn command() -> Command {
    let command = Command::new(SUBCOMMAND)
        .about("Puts supervision and delivery into pods: reads YAML or JSON, writes it decorated")
        .override_usage(
            "podutils inject [options] --out DESTINATION --image-prefix PREFIX [FILE]\n       podutils inject --check [FILE]",
        )
        .arg(
            Arg::new(FILE)
                .value_parser(value_parser!(PathBuf))
                .help("What to read: Pods, Jobs, CronJobs, anything with a pod template [default: standard input]"),
        )
        .arg(switch("check", "Say what cannot work in decorated pods, one line each; change nothing"))
        .arg(switch("krm", "Be a function of Kustomize or kpt: read and write a ResourceList, options in its functionConfig").conflicts_with_all(["check", "explain"]))
        .arg(switch("explain", "Say on stderr what was changed and why").conflicts_with("check"));
    let command = destination(job(documents(command)));
    options(images(containers(limits(times(secrets(command)))))).after_help(AFTER)
}

fn documents(command: Command) -> Command {
    command
        .next_help_heading("Documents")
        .arg(many("select", "KIND[/NAME]", "Decorate these objects only and leave the others as they are (repeatable)"))
        .arg(option("selector", "LABELS", "Decorate objects with these labels only: KEY=VALUE, KEY!=VALUE, KEY, !KEY, with commas"))
        .arg(many(
            "path",
            "JSONPATH",
            "Where kinds that are not known keep their pod templates, such as .spec.tasks[*].template (repeatable)",
        ))
        .arg(
            option(
                "unknown-kinds",
                "pass|refuse",
                "Leave objects alone whose kind is not known, and take input without a pod; for Helm and Kustomize [default: refuse]",
            )
            .value_parser(["pass", "refuse"]),
        )
}

/// Options of the programs.
fn options(command: Command) -> Command {
    command
        .next_help_heading("Options of the programs")
        .arg(option("signal-scope", "SCOPE", "entrypoint: who is told to end, child or group"))
        .arg(many(
            "escalation",
            "SIGNAL=TIME",
            "entrypoint: further signals, each with the time after the first one (repeatable) [default: SIGTERM as under \
             --grace-period]",
        ))
        .arg(switch("strict", "sidecar: do not deliver a file that cannot be looked into for secrets"))
        .arg(many("structured-filename", "NAME", "sidecar: take the values in files of this name in Secrets apart (repeatable)"))
        .arg(many(
            "option",
            "PROGRAM.KEY=VALUE",
            "Any other option: of entrypoint, sidecar, initupload, or upload for the destination of both (repeatable); see \
             podutils explain",
        ))
}

fn job(command: Command) -> Command {
    command
        .next_help_heading("Job")
        .arg(option("job", "NAME", "The job's name [default: metadata.name]"))
        .arg(option("job-type", "TYPE", "periodic, presubmit, postsubmit or batch [default: periodic]"))
        .arg(option("build-id", "ID", "The id of this run, for pods that are made once"))
        .arg(
            option(
                "build-id-from",
                "FIELD",
                "time for the time of the decoration (bare pods only), or the pod's field that is the id, by the downward API \
                 [default: metadata.uid]",
            )
            .conflicts_with("build-id"),
        )
        .arg(option(
            "job-spec",
            "JSON",
            "The whole job as JOB_SPEC has it; the flags above change parts of it",
        ))
}

fn destination(command: Command) -> Command {
    command
        .next_help_heading("Destination")
        .arg(option(
            "out",
            "DESTINATION",
            "Where results go: s3://BUCKET[/PREFIX], gs://BUCKET[/PREFIX], az://CONTAINER[/PREFIX], or a directory of \
             the node (/DIRECTORY for one run, file:///DIRECTORY with a folder for each run); required",
        ))
        .arg(option("gcs-credentials-secret", "NAME", "Secret with service-account.json for gs://"))
        .arg(option("s3-credentials-secret", "NAME", "Secret with service-account.json for s3://"))
        .arg(option("azure-account", "NAME", "Storage account for az://"))
        .arg(option(
            "azure-credentials-secret",
            "NAME",
            "Secret for az:// whose keys become variables of what uploads: AZURE_STORAGE_KEY, \
             AZURE_STORAGE_CONNECTION_STRING, AZURE_STORAGE_SAS_TOKEN, …",
        ))
        .arg(switch(
            "azure-workload-identity",
            "Label the pod for the identity of its ServiceAccount; the test's containers get no token",
        ))
        .arg(option("path-strategy", "NAME", "explicit, legacy or single [default: explicit]"))
        .arg(option("default-org", "NAME", "For legacy and single"))
        .arg(option("default-repo", "NAME", "For legacy and single"))
        .arg(many("media-type", "EXT:TYPE", "Content type of files with this extension (repeatable)"))
        .arg(many("compress-file-type", "EXT", "Compress files with this extension, * for all (repeatable)"))
        .arg(
            switch("report-page", "Put report.html beside the result: what happened, on one page [default]")
                .overrides_with("no-report-page"),
        )
        .arg(switch("no-report-page", "Do not").overrides_with("report-page"))
        .arg(option(
            "otlp-endpoint",
            "URL",
            "Send each job as a trace to this OpenTelemetry collector, by OTLP over HTTP: http://HOST:4318",
        ))
        .arg(option(
            "otlp-secret",
            "NAME",
            "Secret for the collector whose keys become variables of sidecar: OTEL_EXPORTER_OTLP_HEADERS, …",
        ))
        .arg(switch("initupload", "Say at the destination that the job has started (started.json)"))
}

fn secrets(command: Command) -> Command {
    command
        .next_help_heading("Secrets and users")
        .arg(switch("no-censor", "Do not mask the Secrets that containers mount or have in variables"))
        .arg(many("secrets", "PATH", "Mask the content of the files at this mounted path, too (repeatable)"))
        .arg(option(
            "run-as",
            "USER",
            "Who runs where the pod does not say: a user id, or image for the images' own users [default: 1000]",
        ).value_parser(run_as))
        .arg(option(
            "home",
            "PATH",
            "Where an empty volume is HOME of wrapped containers that name none, or image for the images' own \
             [default: /home/pod-utils, where --run-as gives the user]",
        ).value_parser(home))
}

fn times(command: Command) -> Command {
    command
        .next_help_heading("Times")
        .arg(time("timeout", "How long a command may run [default: 2h0m0s]"))
        .arg(time(
            "grace-period",
            "How long it may take to end when told to: its group gets SIGINT, SIGTERM after two thirds of it (from 10s on \
             at least 5s before its end), SIGKILL at its end [default: 15s]",
        ))
        .arg(crate::run::interrupt())
        .arg(
            many(
                "stop-signal",
                "SIGNAL",
                "Another signal that stops the container, as its image's STOPSIGNAL says: SIGWINCH for httpd, \
                 SIGUSR1 for haproxy (repeatable)",
            )
            .value_parser(stop_signal),
        )
        .arg(time(
            "upload-budget",
            "How long delivery may take after that [default: 1m0s, or what terminationGracePeriodSeconds leaves]",
        ))
        .arg(time(
            "start-timeout",
            "How long sidecar waits for a container that does not start, because of its image or its mounts [default: 10m0s]",
        ))
        .arg(switch("ignore-interrupts", "Upload once, when the commands have ended, not at once when told to stop"))
        .arg(switch("propagate-error-code", "After a timeout or an interrupt the command's own code counts"))
}

fn limits(command: Command) -> Command {
    command.next_help_heading("Limits of a delivery").args(args(&LimitOptions::default()))
}

fn containers(command: Command) -> Command {
    command
        .next_help_heading("Containers")
        .arg(many("container", "NAME", "Wrap this container (repeatable) [default: all]"))
        .arg(switch("in-order", "Run them one after the other, in the order of --container or of the pod"))
        .arg(switch("native-sidecar", "Make sidecar an init container with restartPolicy: Always"))
}

fn images(command: Command) -> Command {
    command
        .next_help_heading("Images")
        .arg(option("image-prefix", "PREFIX", "Images are PREFIX/entrypoint:TAG and so on"))
        .arg(option("image-tag", "TAG", "Their tag [default: the version of podutils, as deploy/images/build.sh has it]"))
        .arg(many(
            "image",
            "PROGRAM=IMAGE",
            "One program's image: entrypoint, sidecar, initupload or pod-utils",
        ))
        .arg(many(
            "resources",
            "PROGRAM:cpu=AMOUNT,memory=AMOUNT",
            "Requests and limits of sidecar, initupload or entrypoint, or none (repeatable) [default: sidecar 50m and 96Mi to \
             128Mi, others 10m and 16Mi to 64Mi]",
        ))
        .arg(switch(
            "image-volume",
            "Mount the image pod-utils instead of copying entrypoint (Kubernetes 1.33 or newer)",
        ))
}

const AFTER: &str = "\
Exit status: 0; 1 when a document cannot be decorated, or --check found something; 2 for a wrong
command line. Nothing is written unless all documents can be decorated.

Examples:
  podutils inject --out s3://ci --s3-credentials-secret ci-s3 --image-prefix registry.example/pod-utils \\
    < pod.yaml | kubectl create -f -
  podutils inject --out gs://ci/nightly --job nightly --timeout 4h --grace-period 1m --container test \\
    --native-sidecar --image-prefix registry.example/pod-utils --image-tag 1.4 --explain cronjob.yaml
  podutils inject --check decorated.yaml
  kubectl get pod a -o yaml | podutils inject --check";
