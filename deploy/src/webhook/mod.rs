//! `podutils webhook`: pods are decorated when they are created, by a mutating
//! admission webhook (`admission.k8s.io/v1`).
//!
//! ```text
//! API server ──TLS──▶ server ──▶ service ──▶ review ──▶ inject::Admission
//!                       ▲           ▲           └─▶ patch: what was changed
//!                      tls        files: options and certificate, read again when they change
//! ```
//!
//! Everything that a pod says is written by strangers: [`crate::inject::Admission`] decides
//! what it may say, [`server`] and [`service`] bound what it costs. `podutils webhook
//! certificate` makes the certificate and tells the API server whom to trust ([`certificate`]).

mod certificate;
mod files;
mod metrics;
mod patch;
mod review;
mod server;
mod service;
mod tls;
mod validity;

use crate::terminal::Problem;
use clap::{Arg, ArgMatches, Command, value_parser};
use common::duration::GoDuration;
use common::records::tracing::{Level, error, info, warn};
use common::records::{Records, to_stderr};
use common::timestamp::Timestamp;
use files::{Files, Paths, Reloader};
use metrics::Metrics;
use review::Undecoratable;
use service::Service;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use validity::{Recorded, Standing};

/// The subcommand's name.
const SUBCOMMAND: &str = "webhook";

/// Interval at which the files are looked at; the kubelet needs up to a minute to replace them.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// Time from the end of readiness to the end of service, in which the cluster's nodes learn that
/// this replica is gone.
const DEFAULT_DRAIN: Duration = Duration::from_secs(5);

/// The subcommand's definition.
pub(crate) fn command() -> Command {
    let file = |id: &'static str, default: &'static str, help: &'static str| {
        Arg::new(id)
            .long(id)
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .default_value(default)
            .help(help)
    };
    Command::new(SUBCOMMAND)
        .about("Decorates pods when they are created: a mutating admission webhook of Kubernetes")
        .args_conflicts_with_subcommands(true)
        .arg(
            Arg::new("listen")
                .long("listen")
                .value_name("ADDRESS:PORT")
                .value_parser(value_parser!(SocketAddr))
                .default_value("0.0.0.0:8443")
                .help("Where to serve HTTPS: /mutate, /healthz, /readyz, /metrics"),
        )
        .arg(file(
            "options",
            "/etc/pod-utils/options.yaml",
            "Options of podutils inject by their names; read again when it changes",
        ))
        .arg(file("tls-cert", "/etc/pod-utils-tls/tls.crt", "Certificate with its chain (PEM); read again"))
        .arg(file("tls-key", "/etc/pod-utils-tls/tls.key", "Its key (PEM); read again"))
        .arg(
            Arg::new("undecoratable")
                .long("undecoratable")
                .value_name("refuse|pass")
                .value_parser(["refuse", "pass"])
                .default_value("refuse")
                .help("What becomes of a pod that cannot be decorated"),
        )
        .arg(
            Arg::new("drain")
                .long("drain")
                .value_name("TIME")
                .value_parser(drain)
                .help("How long to go on serving, no longer ready, after SIGTERM [default: 5s]"),
        )
        .subcommand(certificate::command())
        .after_help(
            "deploy/kubernetes/webhook installs it.\n\nExamples:\n  \
             podutils webhook --options options.yaml --tls-cert tls.crt --tls-key tls.key\n  \
             podutils webhook certificate --namespace pod-utils-webhook --service webhook --secret webhook-certificate \\\n    \
             --configuration pod-utils-webhook",
        )
}

fn drain(text: &str) -> Result<GoDuration, String> {
    match text.parse::<GoDuration>() {
        Ok(time) if time.as_nanos() >= 0 => Ok(time),
        Ok(_) | Err(_) => Err("allowed is a time such as 0s, 500ms or 10s".to_owned()),
    }
}

/// Serves until it is told to end, or runs a subcommand of its own.
pub(crate) fn run(matches: &ArgMatches) -> Result<u8, Problem> {
    // Without logging it can still serve.
    let _ = Records::new(SUBCOMMAND, &["podutils"], Level::INFO, to_stderr).install();
    if let Some((_, matches)) = matches.subcommand() {
        return certificate::run(matches);
    }
    let path = |id: &str| matches.get_one::<PathBuf>(id).cloned().unwrap_or_default();
    let paths = Paths { options: path("options"), certificate: path("tls-cert"), key: path("tls-key") };
    let files = Arc::new(Files::load(paths)?);
    let undecoratable = match matches.get_one::<String>("undecoratable").map(String::as_str) {
        Some("pass") => Undecoratable::Pass,
        Some(_) | None => Undecoratable::Refuse,
    };
    let Some(address) = matches.get_one::<SocketAddr>("listen").copied() else {
        return Err(Problem::syntax("--listen is missing"));
    };
    let drain = matches.get_one::<GoDuration>("drain").map_or(DEFAULT_DRAIN, |time| time.as_std());
    let metrics = Metrics::default();
    metrics.not_after(files.certificate.get().validity.not_after);
    let service = Arc::new(Service {
        files,
        undecoratable,
        metrics,
        is_draining: AtomicBool::new(false),
        refusal_recorded: AtomicI64::new(0),
    });
    crate::results::block_on(serve(address, service, drain)).map(|()| 0)
}

async fn serve(address: SocketAddr, service: Arc<Service>, drain: Duration) -> Result<(), Problem> {
    let refuse = |error: std::io::Error| Problem::new(format!("cannot serve at {address}: {error}"));
    let listener = TcpListener::bind(address).await.map_err(refuse)?;
    let local = listener.local_addr().map_err(refuse)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(refuse)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(refuse)?;
    let (stop, stopped) = watch::channel(false);
    info!(address = %local, "Serving");
    let mut reloader = Reloader::new(Arc::clone(&service.files));
    let looking = Arc::clone(&service);
    let reloading = async move {
        let mut interval = tokio::time::interval(LOOK_INTERVAL);
        let mut recorded = Recorded::default();
        loop {
            interval.tick().await;
            reloader.look(&looking.metrics);
            record_validity(&mut recorded, &looking.files);
        }
    };
    let signalled = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        // The server has gone already when nobody listens.
        let _ = stop.send(true);
        // A second signal is heard no more: the first one's end has a limit.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        served = server::serve(listener, service, stopped, drain) => served,
        () = reloading => Ok(()),
        () = signalled => Ok(()),
    }
}

/// Records that the certificate is about to end, or is no good any more, once.
fn record_validity(recorded: &mut Recorded, files: &Files) {
    let (validity, now) = (files.certificate.get().validity, Timestamp::now().as_secs());
    let Some(standing) = recorded.news(validity, now) else { return };
    let not_after = Timestamp::from_nanos(validity.not_after.saturating_mul(1_000_000_000));
    match standing {
        Standing::Good => {}
        Standing::EndsSoon => warn!(%not_after, "The certificate ends soon, and there is no other one"),
        Standing::Over => error!(%not_after, "The certificate is over: API servers do not accept it"),
        Standing::NotYet => error!("The certificate is not valid yet: API servers do not accept it"),
    }
}

/// Answers a review with these options; see [`crate::review`].
pub(crate) fn review_with(body: &[u8], options: &str) -> Result<Vec<u8>, String> {
    let (admission, _) = crate::inject::Admission::parse(options).map_err(|problem| problem.text)?;
    review::review(body, &admission, Undecoratable::Refuse).map(|reviewed| reviewed.body)
}
