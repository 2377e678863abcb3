//! Pins: I4, I5, U-13, U-14; sidecar/README.md, "Destinations", "Retries" and
//! "What stores verify and keep".
//!
//! A hard job, delivered by the real programs to real stores of other makers, and read
//! back by the providers' own clients: without a fault, restarted, interrupted, many
//! builds at once, through outages, cut connections and a proxy.
//!
//! `POD_UTILS_STORES_DIR` names the directory that `install.sh` filled; without it
//! nothing is run. `POD_UTILS_STORES=full` runs all stores (installed with `full`) and
//! longer outages, `POD_UTILS_STORES=NAME,NAME` some stores; both try more proxies.
//!
//! ```text
//! initupload, sidecar, gcsupload ─▶ line that breaks, nginx, nothing ─▶ store ─▶ client.py
//! ```

#![expect(clippy::unwrap_used, reason = "in a test a panic with a place is the right answer")]

mod forward_proxy;
mod job;
mod nginx;
mod read_back;
mod table;

use forward_proxy::ForwardProxy;
use harness::broken_line::{BrokenLine, Fault};
use harness::port::Port;
use harness::process::{self, Ended};
use harness::stores::{Api, Server, stopped};
use harness::{announce_skip, wait};
use job::{Job, Size};
use nginx::Nginx;
use read_back::{create, described, text};
use serde_json::Value;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};
use table::{Conditions, Row, STORES};

/// Longer than any run takes on a busy machine, its outage excluded.
const LONG: Duration = Duration::from_mins(5);

/// Builds that end at the same time.
const BUILDS: u64 = 24;

fn is_full() -> bool {
    std::env::var("POD_UTILS_STORES").is_ok_and(|stores| stores == "full")
}

/// Returns whether stores were named: more is tried with them.
fn are_named() -> bool {
    let are_named = std::env::var("POD_UTILS_STORES").is_ok_and(|stores| !stores.is_empty());
    if !are_named {
        announce_skip("not without POD_UTILS_STORES");
    }
    are_named
}

fn chosen() -> Vec<Row> {
    if std::env::var_os("POD_UTILS_STORES_DIR").is_none() {
        announce_skip("POD_UTILS_STORES_DIR names no directory of tests/campaign/stores/install.sh");
        return Vec::new();
    }
    let wanted = std::env::var("POD_UTILS_STORES").unwrap_or_default();
    let is_chosen = |row: &&Row| match wanted.as_str() {
        "" => row.quick,
        "full" => true,
        names => names.split(',').any(|name| name == row.kind.name()),
    };
    STORES.iter().filter(is_chosen).copied().collect()
}

/// Runs a scenario on a new server of each chosen store, all of them side by side.
fn on_each_store(scenario: impl Fn(Row, &Server) + Sync) {
    let failed: Vec<&str> = std::thread::scope(|scope| {
        let runs = chosen().into_iter().map(|row| {
            let scenario = &scenario;
            let run = scope.spawn(move || {
                let server = match Server::start(row.kind) {
                    Ok(server) => server,
                    Err(missing) => return announce_skip(&format!("{}: {missing}", row.kind.name())),
                };
                create(&server);
                let began = Instant::now();
                let ended = catch_unwind(AssertUnwindSafe(|| scenario(row, &server)));
                assert!(ended.is_ok(), "{} failed: {server:#?}", row.kind.name());
                println!("{}: {:.1?}", row.kind.name(), began.elapsed());
            });
            (row.kind.name(), run)
        });
        let runs: Vec<_> = runs.collect();
        runs.into_iter().filter_map(|(name, run)| run.join().is_err().then_some(name)).collect()
    });
    assert!(failed.is_empty(), "{failed:?}; their messages are above");
}

/// Reads everything back, and compares it with what the job left.
#[track_caller]
fn expect_everything(row: Row, server: &Server, job: &Job) {
    let differences = job.differences(&described(server, &job.path()));
    assert!(differences.is_empty(), "{}: {differences:#?}", row.kind.name());
    let finished = text(server, &format!("{}/finished.json", job.path()));
    assert!(finished.contains(r#""result":"SUCCESS""#), "{finished}");
}

#[test]
fn hard_job_arrives_whole_with_all_programs() {
    on_each_store(|row, server| {
        let job = Job::ended(server, server.endpoint(), 7, Size::Hard, row);
        job.initupload().expect_code(0);
        assert_eq!(text(server, &format!("{}/clone-records.json", job.path())), job.clone_records());
        job.sidecar().expect_code(0);
        expect_everything(row, server, &job);
        expect_alias(server, &job);
        // A new sidecar of the same job does not send again what is large and there.
        let again = job.sidecar();
        again.expect_code(0);
        assert!(again.stderr.contains("It is there already, by the bucket's manifest"), "{again:#?}");
        expect_everything(row, server, &job);
        job.verify().expect_code(0);
        job.gcsupload().expect_code(0);
        assert_eq!(text(server, &format!("{}/extra/by hand.txt", job.path())), "by hand\n");
        let ignored = again.stderr.matches("The store ignores conditions").count();
        assert_eq!(ignored, usize::from(row.conditions == Conditions::Ignored), "{again:#?}");
    });
}

/// The alias of a presubmit names the job in its metadata.
#[track_caller]
fn expect_alias(server: &Server, job: &Job) {
    let key = format!("pr-logs/directory/{}.txt", job.name_and_build());
    let all = described(server, &key);
    let metadata = all[&key]["metadata"].as_object().expect("metadata");
    let link = metadata.iter().find(|(name, _)| name.to_lowercase().replace('_', "-") == "x-goog-meta-link");
    let link = link.and_then(|(_, value)| value.as_str()).unwrap_or_default().replace("%2F", "/");
    assert_eq!(link, format!("{}/{}", server.kind.bucket(), job.path()), "{all:?}");
}

#[test]
fn interrupted_job_has_a_provisional_result_and_then_its_own() {
    on_each_store(|_, server| {
        let job = Job::running(server, server.endpoint(), 8);
        let result = || {
            let finished = text(server, &format!("{}/finished.json", job.path()));
            let finished: Value = serde_json::from_str(&finished).expect("JSON");
            finished["result"].as_str().unwrap_or_default().to_owned()
        };
        let (test, sidecar) = stopped(&job.pod, &job.entry, &mut job.sidecar_command());
        assert_eq!(result(), "ABORTED");
        fs::write(job.pod.path("end"), "").unwrap();
        test.wait().expect_code(0);
        sidecar.wait_for(LONG).expect_code(0);
        assert_eq!(result(), "SUCCESS");
    });
}

/// Returns whether a program has stored `latest-build.txt`.
fn has_stored_latest(ended: &Ended) -> bool {
    let is_it = |line: &&str| line.contains("Finished upload") && line.contains("latest-build.txt");
    ended.stderr.lines().any(|line| is_it(&line))
}

#[test]
fn latest_build_of_many_at_once_never_goes_back() {
    on_each_store(|row, server| {
        let job = Job::running(server, server.endpoint(), 0);
        // One that is there shows those that follow whether the store keeps conditions.
        process::run(job.pod.tree(), &mut job.pointers_command(1999)).expect_code(0);
        // In no order, as builds come.
        let builds = (0..BUILDS).map(|place| 2000 + place * 7 % BUILDS);
        let running: Vec<_> = builds
            .map(|build| (build, process::start(job.pod.tree(), &mut job.pointers_command(build))))
            .collect();
        let ended: Vec<_> =
            running.into_iter().map(|(build, running)| (build, running.wait_for(LONG))).collect();
        let held: u64 = text(server, "logs/hard/latest-build.txt").parse().expect("a build");
        for (_, ended) in &ended {
            ended.expect_code(0);
        }
        let newest =
            ended.iter().filter(|(_, ended)| has_stored_latest(ended)).map(|(build, _)| *build).max();
        match row.conditions {
            Conditions::Kept => assert_eq!(Some(held), newest, "{ended:#?}"),
            Conditions::Racy => assert!(newest.is_some(), "{ended:#?}"),
            Conditions::Ignored => {
                let told = |(_, ended): &(u64, Ended)| ended.stderr.contains("The store ignores conditions");
                assert!(ended.iter().any(told), "{ended:#?}");
            }
        }
        // An older build that comes alone changes nothing, on any store.
        process::run(job.pod.tree(), &mut job.pointers_command(1998)).expect_code(0);
        assert_eq!(text(server, "logs/hard/latest-build.txt"), held.to_string());
    });
}

#[test]
fn outage_loses_nothing() {
    let outages: &[u64] = if is_full() { &[8, 12, 25, 90] } else { &[8] };
    on_each_store(|row, server| {
        for (build, seconds) in (100..).zip(outages) {
            let outage = Duration::from_secs(*seconds);
            let line = BrokenLine::to(server.endpoint().trim_start_matches("http://"), Fault::OutFor(outage));
            let job = Job::ended(server, &line.endpoint(), build, Size::Small, row);
            let ended = process::start(job.pod.tree(), &mut job.sidecar_command()).wait_for(outage + LONG);
            ended.expect_code(0);
            expect_everything(row, server, &job);
            for said in ["takes nothing at the moment", "takes objects again"] {
                assert!(ended.stderr.contains(said), "no {said:?} in {ended:#?}");
            }
            let probes = usize::try_from(*seconds).unwrap();
            assert!(line.failed() <= 32 + probes, "{} requests while it was out", line.failed());
            println!("{}: out for {seconds} s, delivered after {:.1?}", row.kind.name(), ended.took);
        }
    });
}

#[test]
fn cut_connections_lose_nothing() {
    on_each_store(|row, server| {
        let line = BrokenLine::to(server.endpoint().trim_start_matches("http://"), Fault::Cuts(60));
        let job = Job::ended(server, &line.endpoint(), 9, Size::Small, row);
        let ended = process::start(job.pod.tree(), &mut job.sidecar_command()).wait_for(LONG);
        ended.expect_code(0);
        expect_everything(row, server, &job);
        assert!(line.failed() >= 3, "{} connections were cut", line.failed());
    });
}

#[test]
fn proxy_with_tls_and_a_private_ca_is_passed() {
    on_each_store(|row, server| {
        let nginx = match Nginx::before(server) {
            Ok(nginx) => nginx,
            Err(missing) => return announce_skip(&missing),
        };
        let mut job = Job::ended(server, &nginx.endpoint(), 10, Size::Small, row);
        let distrusting =
            process::start(job.pod.tree(), &mut job.sidecar_command_with(&[("retry_for", "1s")]));
        let distrusting = distrusting.wait_for(LONG);
        distrusting.expect_code(1);
        assert!(distrusting.stderr.contains("UnknownIssuer"), "{distrusting:#?}");
        job.variables.push((ca_variable(server), nginx.ca().display().to_string()));
        job.sidecar().expect_code(0);
        expect_everything(row, server, &job);
        assert_eq!(nginx.versions(), ["HTTP/1.1"], "it offers HTTP/2 too");
    });
}

/// Over TLS the signature covers no content of parts, and some stores keep what arrived.
#[test]
fn cut_connections_with_tls_lose_nothing() {
    on_each_store(|row, server| {
        let nginx = match Nginx::before(server) {
            Ok(nginx) => nginx,
            Err(missing) => return announce_skip(&missing),
        };
        let line = BrokenLine::to(nginx.endpoint().trim_start_matches("https://"), Fault::Cuts(60));
        let endpoint = line.endpoint().replace("http://", "https://");
        let mut job = Job::ended(server, &endpoint, 18, Size::Hard, row);
        job.variables.push((ca_variable(server), nginx.ca().display().to_string()));
        let ended = process::start(job.pod.tree(), &mut job.sidecar_command()).wait_for(LONG);
        ended.expect_code(0);
        expect_everything(row, server, &job);
        assert!(line.failed() >= 3, "{} connections were cut", line.failed());
    });
}

/// The variable with the CAs to trust: S3 has one of its own, others the system's.
fn ca_variable(server: &Server) -> &'static str {
    if server.kind.api() == Api::S3 { "AWS_CA_BUNDLE" } else { "SSL_CERT_FILE" }
}

#[test]
fn forward_proxy_is_passed_and_no_proxy_leads_around_it() {
    if !are_named() {
        return;
    }
    on_each_store(|row, server| {
        let started = Nginx::before(server).and_then(|nginx| Ok((nginx, ForwardProxy::start(server.pod())?)));
        let (nginx, proxy) = match started {
            Ok(started) => started,
            Err(missing) => return announce_skip(&missing),
        };
        let job = |build, variables: &[(&'static str, String)]| {
            let mut job = Job::ended(server, &nginx.endpoint(), build, Size::Small, row);
            job.variables.push((ca_variable(server), nginx.ca().display().to_string()));
            job.variables.extend_from_slice(variables);
            job
        };
        let through = job(12, &[("HTTPS_PROXY", proxy.endpoint())]);
        through.sidecar().expect_code(0);
        expect_everything(row, server, &through);
        let connections = proxy.connections();
        assert!(connections > 0, "{proxy:#?}");
        // Nobody is there: it is the proxy that is asked, unless it is led around.
        let port = Port::take();
        let nowhere = format!("http://127.0.0.1:{}", port.number());
        let lost = job(13, &[("HTTPS_PROXY", nowhere.clone())]);
        let mut command = lost.sidecar_command_with(&[("retry_for", "1s")]);
        process::start(lost.pod.tree(), &mut command).wait_for(LONG).expect_code(1);
        let around = job(14, &[("HTTPS_PROXY", nowhere), ("NO_PROXY", "example.com,127.0.0.1".to_owned())]);
        around.sidecar().expect_code(0);
        expect_everything(row, server, &around);
        assert_eq!(proxy.connections(), connections, "{proxy:#?}");
    });
}

/// The message says what to allow; with that the job arrives.
#[test]
fn proxy_that_allows_too_little_is_told_of_with_the_bytes_to_allow() {
    if !are_named() {
        return;
    }
    on_each_store(|row, server| {
        let deliver = |build, allowed| {
            let nginx = Nginx::allowing(server, allowed)?;
            let mut job = Job::ended(server, &nginx.endpoint(), build, Size::Small, row);
            job.variables.push((ca_variable(server), nginx.ca().display().to_string()));
            let ended = job.sidecar();
            Ok::<_, String>((job, ended))
        };
        let (job, ended) = match deliver(15, 1 << 20) {
            Ok(delivered) => delivered,
            Err(missing) => return announce_skip(&missing),
        };
        ended.expect_code(1);
        let differences = job.differences(&described(server, &job.path()));
        assert_eq!(differences, [format!("{:?} is missing", format!("{}/artifacts/large.bin", job.path()))]);
        let said = ended.stderr.split_once(" refuses a request with ").map(|(_, said)| said);
        let said = said.and_then(|said| said.split_once(" bytes; it must allow at least that (nginx: "));
        let bytes: usize =
            said.and_then(|(bytes, _)| bytes.parse().ok()).unwrap_or_else(|| panic!("{ended:#?}"));
        let (job, ended) = deliver(16, bytes).expect("it was there before");
        ended.expect_code(0);
        expect_everything(row, server, &job);
    });
}

#[test]
fn credentials_that_may_only_write_are_enough() {
    on_each_store(|row, server| {
        let nginx = match Nginx::before(server) {
            Ok(nginx) => nginx,
            Err(missing) => return announce_skip(&missing),
        };
        let mut job = Job::ended(server, &nginx.write_only_endpoint(), 11, Size::Small, row);
        job.variables.push((ca_variable(server), nginx.ca().display().to_string()));
        // The second time everything is there, and nothing can be asked.
        for _ in 0..2 {
            job.sidecar().expect_code(0);
            expect_everything(row, server, &job);
        }
        wait::until("nginx to note a refusal", || nginx.has_refused().then_some(()));
    });
}
