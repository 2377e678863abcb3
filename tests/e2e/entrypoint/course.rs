//! Pins: entrypoint/README.md, "What the job was doing": the course.
//!
//! In a control group of its own, of the version that this machine has, with limits and
//! with a process that the kernel kills; and in files laid out as version 2 has them,
//! because a machine has one version only.

use common::timestamp::Timestamp;
use harness::control_group::{ControlGroup, MEMORY_LIMIT, ROOT, behind_mounts};
use harness::job::Job;
use harness::{bins, process, skip};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;

fn column(report: &Value, name: &str) -> Vec<u64> {
    let values = report["course"]["columns"][name].as_array();
    let values = values.unwrap_or_else(|| panic!("no {name} in {report:#}"));
    values.iter().map(|value| value.as_u64().expect("a number")).collect()
}

#[test]
fn course_in_a_real_control_group_has_limits_and_the_moment_of_a_kill() {
    let job = Job::local();
    let group = match ControlGroup::new() {
        Ok(group) => group,
        Err(reason) => skip!("no control group can be made here: {reason}"),
    };
    let entry = job.pod.entry("test");
    let script = "sleep 2.2; sh -c 'x=x; while :; do x=$x$x; done'; echo \"compiler: $?\"; \
        end=$(($(date +%s) + 4)); while [ \"$(date +%s)\" -lt $end ]; do :; done; exit 2";
    let command = job.pod.entrypoint_command(&entry, &["sh", "-c", script], json!({}));
    process::run(job.pod.tree(), &mut group.around(&command)).expect_code(2);
    assert!(entry.log_text().contains("compiler: 137"), "{}", entry.log_text());
    let report = entry.report();
    let course = &report["course"];
    assert_eq!(course["memory_limit_bytes"], MEMORY_LIMIT, "{report:#}");
    assert_eq!(course["cpu_limit_millis"], 250, "{report:#}");
    assert_eq!(report["cgroup"]["oom_kills"], 1, "{report:#}");
    let at = column(&report, "at_s");
    let kills = column(&report, "oom_kills");
    assert_eq!(kills.iter().sum::<u64>(), 1, "{report:#}");
    let kill = kills.iter().position(|kills| *kills == 1).expect("a sample");
    assert!(at[kill] >= 2, "after the sleep: {report:#}");
    let memory = column(&report, "memory_kib");
    assert!(memory.iter().all(|kib| (1..=MEMORY_LIMIT / 1024).contains(kib)), "{report:#}");
    assert!(column(&report, "throttled_ms").iter().sum::<u64>() > 0, "{report:#}");
    // In the last one entrypoint may be alone.
    let pids = column(&report, "pids");
    assert!(pids[0] >= 2 && pids.iter().all(|pids| *pids >= 1), "{report:#}");
    // A sample for which the kernel had to reclaim memory costs so much that it may be the last.
    if let Some((last, _)) = at.split_last().filter(|_| kill + 1 < at.len()) {
        let busy: u64 = column(&report, "cpu_ms")[kill + 1..].iter().sum();
        // Times are in whole seconds.
        let most = (last - at[kill] + 2) * 250;
        assert!((1..=most).contains(&busy), "the busy part within its limit: {report:#}");
    }

    job.sidecar(&[&entry], json!({})).wait().expect_code(0);
    let show = |form: &str| {
        let mut command = Command::new(bins::program("podutils"));
        process::run(job.pod.tree(), command.args(["show", form]).arg(job.objects_dir())).stdout
    };
    let page = show("--html");
    assert!(page.contains(r#"<line class="mark killed""#), "the page's plot has it");
    assert!(page.contains("the kernel killed a process for lack of memory"), "and its list of moments");
    let json: Value = serde_json::from_str(&show("--json")).expect("JSON");
    let moments = json["timeline"].as_array().unwrap_or_else(|| panic!("{json:#}"));
    let moment = moments.iter().find(|moment| moment["kind"] == "out_of_memory").expect("the moment");
    let time =
        |value: &Value| value.as_str().and_then(|text| text.parse::<Timestamp>().ok()).expect("a time");
    let after = time(&moment["at"]).since(time(&course["started"])).as_std();
    assert_eq!(after.as_secs(), at[kill], "{moment}");
}

#[test]
fn course_reads_the_files_of_version_2() {
    let job = Job::local();
    if let Err(reason) = harness::control_group::may_mount() {
        skip!("{reason}");
    }
    let dir = job.pod.path("cgroup");
    fs::create_dir(&dir).expect("made");
    let pressure = |micros: u64| {
        format!("some avg10=0.00 avg60=0.00 avg300=0.00 total={micros}\nfull avg10=0.00 total=1\n")
    };
    for (name, text) in [
        ("memory.current", "104857600\n".to_owned()),
        ("memory.max", "268435456\n".to_owned()),
        ("memory.peak", "134217728\n".to_owned()),
        ("memory.stat", "anon 1\nfile 2\ninactive_file 4194304\nactive_file 7\n".to_owned()),
        ("memory.events", "low 0\nhigh 0\nmax 9\noom 3\noom_kill 5\noom_group_kill 5\n".to_owned()),
        ("pids.current", "17\n".to_owned()),
        ("cpu.max", "150000 100000\n".to_owned()),
        ("cpu.stat", "usage_usec 5000000\nuser_usec 1\nnr_throttled 4\nthrottled_usec 1000000\n".to_owned()),
        // A container that has not used a disk yet has no line.
        ("io.stat", String::new()),
        ("cpu.pressure", pressure(1_000_000)),
        ("memory.pressure", pressure(2_000_000)),
        ("io.pressure", pressure(3_000_000)),
    ] {
        fs::write(dir.join(name), text).expect("written");
    }
    let entry = job.pod.entry("test");
    // The kernel's files are never half written: one that replaces another is not, either.
    let script = r"sleep 2.2; cd /sys/fs/cgroup
        put() { cat >new && mv new $1; }
        printf 'usage_usec 7500000\nthrottled_usec 1500000\n' | put cpu.stat
        printf '8:0 rbytes=1048576 wbytes=2097152\n8:16 rbytes=1048576 wbytes=0\n' | put io.stat
        echo 'some avg10=0.00 total=1250000' | put cpu.pressure
        echo 'oom_kill 7' | put memory.events
        echo 209715200 | put memory.current
        sleep 2.2";
    let command = job.pod.entrypoint_command(&entry, &["sh", "-c", script], json!({}));
    let bind = format!("mount --bind '{}' {ROOT}", dir.display());
    process::run(job.pod.tree(), &mut behind_mounts(&bind, &command)).expect_code(0);
    let report = entry.report();
    let course = &report["course"];
    assert_eq!(
        (&course["memory_limit_bytes"], &course["cpu_limit_millis"]),
        (&json!(268_435_456), &json!(1500))
    );
    assert_eq!(report["cgroup"], json!({"memory_peak_bytes": 134_217_728, "oom_kills": 2}), "{report:#}");
    let memory = column(&report, "memory_kib");
    let changed = memory.iter().position(|kib| *kib == 196 * 1024).expect("a sample after the change");
    assert!(memory[..changed].iter().all(|kib| *kib == 96 * 1024) && changed > 0, "{report:#}");
    for (name, total) in [
        ("cpu_ms", 2_500),
        ("throttled_ms", 500),
        ("read_kib", 2_048),
        ("written_kib", 2_048),
        ("cpu_pressure_ms", 250),
        ("memory_pressure_ms", 0),
        ("io_pressure_ms", 0),
        ("oom_kills", 2),
    ] {
        let values = column(&report, name);
        // A sample may come between two of the changes.
        let around: u64 = values[changed - 1..=changed].iter().sum();
        assert_eq!((values.iter().sum::<u64>(), around), (total, total), "{name}: {report:#}");
    }
    assert!(column(&report, "pids").iter().all(|pids| *pids == 17), "{report:#}");
}
