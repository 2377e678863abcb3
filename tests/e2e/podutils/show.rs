//! Pins: deploy/README.md, "podutils show" and "podutils verify".
//!
//! `podutils show` and `verify`: what is told about a job, and what damage is found.

use common::report::crc32c_text;
use harness::job::{JOB_PATH, Job, large_results};
use harness::pod::Pod;
use harness::process::{self, Ended};
use harness::{bins, skip};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The browser's own errands, such as asking for the time.
const OF_THE_BROWSER: [&str; 3] = ["google.com/", "googleapis.com/", "gvt1.com/"];

/// Texts by which a job can harm a page or a terminal.
const HOSTILE: &str =
    "error: <script>document.title='owned'</script> \u{1b}]0;owned\u{7} \u{202e}desrever &lt;";

fn podutils(pod: &Pod, args: &[&str]) -> Ended {
    let mut command = Command::new(bins::program("podutils"));
    process::run(pod.tree(), command.args(args))
}

/// A job with two artifacts, one with a hostile name, that timed out.
fn job_that_timed_out(job: &Job) {
    let entry = job.pod.entry("test");
    let sidecar = job.sidecar(&[&entry], json!({}));
    let script = format!(
        "printf '%s\\n' fine \"$1\"; echo x > \"$ARTIFACTS/$2\"; echo y > \"$ARTIFACTS/plain.txt\"; exec sleep 600 # {JOB_PATH}"
    );
    let args = ["sh", "-c", &script, "sh", HOSTILE, "<img src=x onerror=alert(1)>\u{202e}.txt"];
    let ended = job.pod.entrypoint(&entry, &args, json!({"timeout": "1s", "grace_period": "5s"})).wait();
    ended.expect_code(127);
    sidecar.wait().expect_code(0);
}

fn local_job() -> (Job, String) {
    let job = Job::local();
    job_that_timed_out(&job);
    let place = job.objects_dir().display().to_string();
    (job, place)
}

#[track_caller]
fn inert(text: &str) {
    let acts = |c: &char| c.is_control() && *c != '\n' || ('\u{202a}'..='\u{202e}').contains(c);
    assert_eq!(text.chars().find(acts), None, "{text}");
}

#[test]
fn timeout_is_shown_in_the_terminal_as_json_and_as_a_page() {
    let (job, place) = local_job();
    let shown = podutils(&job.pod, &["show", &place]);
    shown.expect_code(0);
    inert(&shown.stdout);
    for part in [
        "FAILURE",
        "timed out after 1s",
        "SIGINT sent to the command, because of the timeout",
        "the final upload began",
        "artifacts/plain.txt",
        "\\u{202e}desrever",
    ] {
        assert!(shown.stdout.contains(part), "no {part} in {}", shown.stdout);
    }
    let text = podutils(&job.pod, &["show", "--json", &place]);
    inert(&text.stdout);
    let told: Value = serde_json::from_str(&text.stdout).expect("JSON");
    assert_eq!((told["result"].as_str(), told["version"].as_u64()), (Some("FAILURE"), Some(1)));
    assert_eq!(told["containers"][0]["name"], "test");
    assert_eq!(told["containers"][0]["log"]["errors"][0]["line"], 2);
    let kinds: Vec<_> =
        told["timeline"].as_array().expect("a list").iter().map(|moment| &moment["kind"]).collect();
    for kind in ["start", "sent", "exit", "drained", "limit", "upload"] {
        assert!(kinds.iter().any(|known| *known == kind), "no {kind} in {kinds:?}");
    }
    let page = podutils(&job.pod, &["show", "--html", &place]);
    page.expect_code(0);
    inert(&page.stdout);
    assert!(page.stdout.contains("&lt;script&gt;document.title"), "{}", page.stdout);
    assert!(!page.stdout.contains("<img") && !page.stdout.contains("<script>document"), "{}", page.stdout);
    assert!(!page.stdout.contains(" style="), "inline styles are against the policy");
}

#[test]
fn bucket_is_shown_and_verified() {
    let job = Job::s3();
    job_that_timed_out(&job);
    let credentials = job.s3.as_ref().expect("a bucket").credentials_file(&job.pod.path(""));
    let credentials = credentials.display().to_string();
    let place = format!("s3://{}/{JOB_PATH}", harness::s3::BUCKET);
    let run = |verb: &str| podutils(&job.pod, &[verb, "--s3-credentials-file", &credentials, &place]);
    let shown = run("show");
    shown.expect_code(0);
    assert!(shown.stdout.contains("timed out after 1s") && shown.stdout.contains("fine"), "{}", shown.stdout);
    let verified = run("verify");
    verified.expect_code(0);
    fs::write(job.objects_dir().join("artifacts/plain.txt"), "Y\n").expect("damaged");
    let verified = run("verify");
    verified.expect_code(1);
    assert!(verified.stdout.contains("artifacts/plain.txt: its CRC32C is"), "{}", verified.stdout);
}

#[test]
fn verify_finds_each_kind_of_damage() {
    let (job, place) = local_job();
    let verified = |said: &str, code: i32| {
        let ended = podutils(&job.pod, &["verify", &place]);
        ended.expect_code(code);
        assert!(ended.stdout.contains(said), "no {said} in {}", ended.stdout);
        inert(&ended.stdout);
    };
    let path = |name: &str| job.objects_dir().join(name);
    verified("all as manifest.json says", 0);
    let log = fs::read(path("build-log.txt")).expect("read");
    let damaged = |name: &str, content: &[u8], said: &str| {
        let before = fs::read(path(name)).expect("read");
        fs::write(path(name), content).expect("damaged");
        verified(said, 1);
        fs::write(path(name), before).expect("mended");
    };
    damaged("build-log.txt", &log[1..], "build-log.txt: it has");
    let mut other = log.clone();
    other[0] ^= 1;
    let sum = crc32c_of(&other);
    damaged("build-log.txt", &other, &format!("build-log.txt: its CRC32C is {sum}"));
    fs::write(path("artifacts/more\u{1b}.txt"), "").expect("written");
    verified("artifacts/more\\u{1b}.txt: it is not in manifest.json", 1);
    fs::remove_file(path("artifacts/more\u{1b}.txt")).expect("removed");
    fs::rename(path("artifacts/plain.txt"), path("artifacts/moved.txt")).expect("renamed");
    verified("artifacts/plain.txt: it is not there", 1);
    fs::rename(path("artifacts/moved.txt"), path("artifacts/plain.txt")).expect("renamed");
    std::os::unix::fs::symlink("plain.txt", path("artifacts/link")).expect("linked");
    verified("artifacts/link: it is not in manifest.json", 1);
    fs::remove_file(path("artifacts/link")).expect("removed");
    fs::remove_file(path("finished.json")).expect("removed");
    verified("finished.json: it is not there", 1);
    fs::write(path("manifest.json"), "{").expect("damaged");
    podutils(&job.pod, &["verify", &place]).expect_code(1);
}

/// CRC32C by its definition.
fn crc32c_of(bytes: &[u8]) -> String {
    let sum = bytes.iter().fold(!0_u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0x82f6_3b78 & (sum & 1).wrapping_neg()))
    });
    crc32c_text(!sum)
}

#[test]
fn termination_message_holds_sidecars_result() {
    let job = Job::local();
    let entry = job.pod.entry("test");
    let path = job.pod.path("termination-log");
    fs::write(&path, "").expect("made");
    let sidecar = job.sidecar(&[&entry], json!({"delivery": {"termination_message_path": path}}));
    job.pod.entrypoint(&entry, &["sh", "-c", "exit 3"], json!({})).wait().expect_code(3);
    sidecar.wait().expect_code(0);
    let words = fs::read_to_string(&path).expect("read");
    assert!(words.starts_with("FAILURE: exited with code 3; ") && words.ends_with(" delivered\n"), "{words}");
}

#[test]
fn huge_job_is_a_small_page_in_little_memory() {
    let pod = Pod::new();
    let dir = tempfile::tempdir().expect("a directory");
    large_results(dir.path(), 100_000, 1 << 30);
    let place = dir.path().display().to_string();
    // Everything that a program writes into counts as data.
    let script = format!("ulimit -d {}; exec \"$0\" show --html \"$1\"", 64 << 10);
    let mut command = Command::new("sh");
    let page =
        process::run(pod.tree(), command.args(["-c", &script]).arg(bins::program("podutils")).arg(&place));
    page.expect_code(0);
    assert!(page.stdout.len() < 512 << 10, "{} bytes", page.stdout.len());
    for part in ["99601 more are left out", "error: the end", "was not looked through", "100003 objects"] {
        assert!(page.stdout.contains(part), "no {part}");
    }
}

/// Runs a subcommand with at most so much memory. Everything that a program writes into counts
/// as data.
fn podutils_within(kib: u64, pod: &Pod, args: &[&str]) -> Ended {
    let script = format!("ulimit -d {kib}; exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    process::run(pod.tree(), command.args(["-c", &script]).arg(bins::program("podutils")).args(args))
}

#[test]
fn million_objects_are_shown_and_verified_in_little_memory() {
    let (pod, dir) = (Pod::new(), tempfile::tempdir().expect("a directory"));
    large_results(dir.path(), 1_000_000, 0);
    let place = dir.path().display().to_string();
    let shown = podutils_within(20 << 10, &pod, &["show", &place]);
    shown.expect_code(0);
    assert!(shown.stdout.contains("1000003 objects"), "{}", shown.stdout);
    let verified = podutils_within(36 << 10, &pod, &["verify", "--quick", &place]);
    verified.expect_code(1);
    assert!(verified.stdout.contains("1000001 objects"), "{}", verified.stdout);
    assert!(verified.stdout.lines().count() < 400, "{}", verified.stdout.lines().count());
}

#[test]
fn forged_manifest_of_other_things_than_objects_takes_little_memory() {
    let (pod, dir) = (Pod::new(), tempfile::tempdir().expect("a directory"));
    large_results(dir.path(), 10, 0);
    let place = dir.path().display().to_string();
    let containers = vec!["{}"; 2_000_000].join(",");
    let manifest = format!(r#"{{"version":1,"objects":[],"containers":[{containers}]}}"#);
    fs::write(dir.path().join("manifest.json"), manifest).expect("written");
    let shown = podutils_within(32 << 10, &pod, &["show", &place]);
    shown.expect_code(0);
    assert!(shown.stdout.contains("and 1999950 more containers"), "{}", shown.stdout);
    podutils_within(32 << 10, &pod, &["verify", "--quick", &place]).expect_code(1);
}

/// The program of Debian's package `chromium`.
fn chromium() -> Option<PathBuf> {
    let path = PathBuf::from("/usr/bin/chromium");
    path.exists().then_some(path)
}

/// Opens a page; gives what Chromium prints.
fn browse(pod: &Pod, chromium: &Path, dir: &Path, more: &[&str], page: &Path) -> Ended {
    let mut command = Command::new(chromium);
    let flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--allow-file-access-from-files",
        // Whatever the page asked for would be asked of a port that nobody listens on.
        "--host-resolver-rules=MAP * ~NOTFOUND",
    ];
    command.args(flags).args(more).arg(format!("--user-data-dir={}", dir.join("profile").display()));
    command.arg(format!("file://{}", page.display())).env("HOME", dir);
    process::run(pod.tree(), &mut command)
}

#[test]
fn page_in_chromium_requests_nothing() {
    let Some(chromium) = chromium() else { skip!("there is no /usr/bin/chromium") };
    let (job, place) = local_job();
    let dir = tempfile::tempdir().expect("a directory");
    let page = dir.path().join("page.html");
    let text = podutils(&job.pod, &["show", "--html", &place]).stdout;
    fs::write(&page, &text).expect("written");
    let net_log = dir.path().join("net.json");
    let log_flag = format!("--log-net-log={}", net_log.display());
    let ended =
        browse(&job.pod, &chromium, dir.path(), &["--dump-dom", "--enable-logging=stderr", &log_flag], &page);
    ended.expect_code(0);
    let dom = &ended.stdout;
    for part in
        ["FAILURE", "timed out after 1s", "artifacts/plain.txt", "<svg", "&lt;script&gt;document.title"]
    {
        assert!(dom.contains(part), "no {part} in {dom}");
    }
    // The page's own script ran, and nobody else's.
    assert!(
        dom.contains("<th scope=\"col\" role=\"columnheader\"><button type=\"button\">Name</button>"),
        "{dom}"
    );
    assert!(dom.contains("<title>FAILURE: ") && !dom.contains("<title>owned"), "{dom}");
    assert!(!dom.contains("<img"), "{dom}");
    assert!(!ended.stderr.contains("Content Security Policy"), "{}", ended.stderr);
    assert!(!text.contains("google"), "what the browser asks for by itself is not what the page asks for");
    assert_eq!(asked_for(&net_log), Vec::<String>::new());
    // The log does show what a page asks for.
    fs::write(&page, "<img src=http://outside.invalid/x.png>").expect("written");
    browse(&job.pod, &chromium, dir.path(), &["--dump-dom", &log_flag], &page).expect_code(0);
    assert!(!asked_for(&net_log).is_empty());
}

#[test]
fn page_in_chromium_is_whole_without_script_and_fits_a_narrow_window() {
    let Some(chromium) = chromium() else { skip!("there is no /usr/bin/chromium") };
    let (job, place) = local_job();
    let dir = tempfile::tempdir().expect("a directory");
    let page = dir.path().join("page.html");
    let text = podutils(&job.pod, &["show", "--html", &place]).stdout;
    let dom = |text: &str, page: &Path| {
        fs::write(page, text).expect("written");
        let ended = browse(&job.pod, &chromium, dir.path(), &["--dump-dom"], page);
        ended.expect_code(0);
        ended.stdout
    };
    // What each wide table, drawing or line of a log makes of 400 pixels.
    dom(&text, &page);
    let window = r#"<iframe id="f" src="page.html" style="width:400px;height:900px;border:0"></iframe><script>
        f.onload = () => {
            const page = f.contentDocument.documentElement;
            document.title = page.scrollWidth > page.clientWidth ? "too wide: " + page.scrollWidth : "it fits";
        }</script>"#;
    let narrow = dom(window, &dir.path().join("window.html"));
    assert!(narrow.contains("<title>it fits</title>"), "{narrow}");
    // The browser itself refuses the script.
    let (before, rest) = text.split_once("script-src '").expect("a policy");
    let (_, after) = rest.split_once('\'').expect("a hash");
    let without = dom(&format!("{before}script-src 'none'{after}"), &page);
    for part in ["FAILURE", "timed out after 1s", "artifacts/plain.txt", "<svg", "manifest.json"] {
        assert!(without.contains(part), "no {part} in {without}");
    }
    assert!(!without.contains("<button"), "nothing is there that needs the script: {without}");
    let filters = without.matches("<input").count();
    assert_eq!(without.matches(r#"<p class="filter" hidden"#).count(), filters, "{without}");
    assert!(filters > 0, "{without}");
}

/// Returns the requests that went over the network, less the browser's own errands.
fn asked_for(net_log: &Path) -> Vec<String> {
    let requests = fs::read_to_string(net_log).expect("a log of the network");
    let urls = requests.split("\"url\":\"").skip(1).filter_map(|rest| rest.split('"').next());
    let asked =
        urls.filter(|url| url.starts_with("http") && !OF_THE_BROWSER.iter().any(|host| url.contains(host)));
    asked.map(str::to_owned).collect()
}

#[test]
fn page_is_written_beside_a_local_result() {
    let pod = Pod::new();
    let mut command = Command::new(bins::program("podutils"));
    command
        .args(["run", "--job", "j", "--", "sh", "-c", "echo 'error: it'; exit 3"])
        .current_dir(pod.path(""));
    let ended = process::run(pod.tree(), &mut command);
    ended.expect_code(3);
    let page = ended.stderr.lines().find_map(|line| line.split_once("report page: ")).expect("it is named").1;
    let text = fs::read_to_string(page).expect("a page");
    for part in ["FAILURE", "sh -c 'echo '\\''error: it'\\''; exit 3'", "href=\"./build-log.txt\"", "code 3"]
    {
        assert!(text.contains(part), "no {part} in {text}");
    }
    let results = Path::new(page).parent().expect("a directory").display().to_string();
    podutils(&pod, &["verify", &results]).expect_code(0);
}
