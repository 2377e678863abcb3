//! The course of the job: samples of what its container uses.
//!
//! Version 2 and version 1 of control groups, else the processes of /proc. Counters are
//! kept as differences, so that two samples can be joined into one when there are too
//! many: then the interval is doubled. Whatever CPU time a sample costs, the pause after it
//! is long enough that sampling takes at most a two-thousandth of a CPU. The time of day
//! is no measure: a container at its CPU limit waits in the middle of a sample.

use super::processes::Processes;
use super::sys_files::{Group, read, sum};
use common::report::{self, MAX_COURSE_BYTES, MAX_SAMPLES};
use common::timestamp::Timestamp;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// Interval between the first samples.
const FIRST_INTERVAL: Duration = Duration::from_secs(1);

/// Interval between samples of /proc, each of which reads a file per process.
const PROC_INTERVAL: Duration = Duration::from_secs(15);

/// Upper bound on the share of the time that samples take, as a divisor.
const MIN_PAUSE_PER_COST: u32 = 2_000;

/// Upper bound on the processes that a sample of /proc reads.
const MAX_PROCESSES: usize = 64;

/// A column's rule when two samples are joined.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Join {
    Last,
    Largest,
    Least,
    Sum,
}

/// The columns, in the order of a sample's values.
const COLUMNS: [(&str, Join); 13] = [
    ("at_s", Join::Last),
    ("memory_kib", Join::Largest),
    ("pids", Join::Largest),
    ("free_kib", Join::Least),
    ("cpu_ms", Join::Sum),
    ("throttled_ms", Join::Sum),
    ("read_kib", Join::Sum),
    ("written_kib", Join::Sum),
    ("cpu_pressure_ms", Join::Sum),
    ("memory_pressure_ms", Join::Sum),
    ("io_pressure_ms", Join::Sum),
    ("output_kib", Join::Sum),
    ("oom_kills", Join::Sum),
];

const AT: usize = 0;
const MEMORY: usize = 1;
const PIDS: usize = 2;
const FREE: usize = 3;
const CPU: usize = 4;
const THROTTLED: usize = 5;
const READ: usize = 6;
const WRITTEN: usize = 7;
const CPU_PRESSURE: usize = 8;
const MEMORY_PRESSURE: usize = 9;
const IO_PRESSURE: usize = 10;
const OUTPUT: usize = 11;
const OOM_KILLS: usize = 12;

/// One value for each column; `None` where the machine does not tell.
type Values = [Option<u64>; COLUMNS.len()];

/// A file of a control group: its column, its path, the key of the number ("" for the
/// first number), and the divisor of its unit.
type Source = (usize, &'static str, &'static str, u64);

const VERSION_2: [Source; 10] = [
    (MEMORY, "/sys/fs/cgroup/memory.current", "", 1),
    (PIDS, "/sys/fs/cgroup/pids.current", "", 1),
    (CPU, "/sys/fs/cgroup/cpu.stat", "usage_usec", 1_000),
    (THROTTLED, "/sys/fs/cgroup/cpu.stat", "throttled_usec", 1_000),
    (READ, "/sys/fs/cgroup/io.stat", "rbytes", 1_024),
    (WRITTEN, "/sys/fs/cgroup/io.stat", "wbytes", 1_024),
    (CPU_PRESSURE, "/sys/fs/cgroup/cpu.pressure", "total", 1_000),
    (MEMORY_PRESSURE, "/sys/fs/cgroup/memory.pressure", "total", 1_000),
    (IO_PRESSURE, "/sys/fs/cgroup/io.pressure", "total", 1_000),
    (OOM_KILLS, "/sys/fs/cgroup/memory.events", "oom_kill", 1),
];

const VERSION_1: [Source; 7] = [
    (MEMORY, "/sys/fs/cgroup/memory/memory.usage_in_bytes", "", 1),
    (PIDS, "/sys/fs/cgroup/pids/pids.current", "", 1),
    (CPU, "/sys/fs/cgroup/cpuacct/cpuacct.usage", "", 1_000_000),
    (THROTTLED, "/sys/fs/cgroup/cpu/cpu.stat", "throttled_time", 1_000_000),
    (READ, "/sys/fs/cgroup/blkio/blkio.throttle.io_service_bytes", "Read", 1_024),
    (WRITTEN, "/sys/fs/cgroup/blkio/blkio.throttle.io_service_bytes", "Write", 1_024),
    (OOM_KILLS, "/sys/fs/cgroup/memory/memory.oom_control", "oom_kill", 1),
];

/// The samples so far. Begun when the command starts, sampled when due, ended once.
#[derive(Debug)]
pub(super) struct Course {
    /// Looked for by the first sample: a job that ends before it pays nothing.
    group: Option<Group>,
    began: Instant,
    began_at: Timestamp,
    due: Option<Instant>,
    interval: Duration,
    /// The counters of the last sample. Before the first they are those of a container
    /// that has just started, if we are PID 1, else unknown.
    before: Values,
    samples: Vec<Values>,
}

impl Course {
    /// Begins, now that the command runs. `oom_kills` were counted before.
    pub(super) fn begin(began_at: Timestamp, oom_kills: u64) -> Self {
        let began = Instant::now();
        let is_init = rustix::process::getpid().is_init();
        let mut before = [is_init.then_some(0); COLUMNS.len()];
        before[OOM_KILLS] = Some(oom_kills);
        Self {
            group: None,
            began,
            began_at,
            due: began.checked_add(FIRST_INTERVAL),
            interval: FIRST_INTERVAL,
            before,
            samples: Vec::new(),
        }
    }

    /// Returns the time of the next sample.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// Takes the sample that is due.
    pub(super) fn sample(&mut self, processes: &mut Processes, output: u64, log: Option<BorrowedFd<'_>>) {
        let (now, used) = (Instant::now(), cpu_time());
        let group = *self.group.get_or_insert_with(Group::find);
        if group == Group::None {
            self.interval = self.interval.max(PROC_INTERVAL);
        }
        let read = self.read(group, processes, output, log);
        // A counter that appears later, as that of a disk does, begins with nothing.
        let unknown = if self.samples.is_empty() { read } else { [Some(0); COLUMNS.len()] };
        let mut sample = read;
        for (index, (_, join)) in COLUMNS.iter().enumerate() {
            if *join == Join::Sum {
                let before = self.before[index].or(unknown[index]).unwrap_or(0);
                sample[index] = read[index].map(|value| value.saturating_sub(before));
                self.before[index] = read[index].or(self.before[index]);
            }
        }
        self.samples.push(sample);
        if self.samples.len() > MAX_SAMPLES {
            self.thin();
        }
        self.due = (now + self.interval).checked_add(cpu_time().saturating_sub(used) * MIN_PAUSE_PER_COST);
    }

    /// Joins each two samples.
    fn thin(&mut self) {
        self.interval *= 2;
        let joined = self.samples.chunks(2).map(|pair| {
            let mut all = pair[0];
            for (index, (_, join)) in COLUMNS.iter().enumerate() {
                let Some(second) = pair.get(1).and_then(|second| second[index]) else { continue };
                all[index] = match (all[index], join) {
                    (Some(_), Join::Last) => Some(second),
                    (Some(first), Join::Largest) => Some(first.max(second)),
                    (Some(first), Join::Least) => Some(first.min(second)),
                    (first, Join::Sum) => Some(first.unwrap_or(0) + second),
                    (None, Join::Last | Join::Largest | Join::Least) => None,
                };
            }
            all
        });
        self.samples = joined.collect();
    }

    fn read(
        &self,
        group: Group,
        processes: &mut Processes,
        output: u64,
        log: Option<BorrowedFd<'_>>,
    ) -> Values {
        let mut values: Values = [None; COLUMNS.len()];
        values[AT] = Some(self.began.elapsed().as_secs());
        values[OUTPUT] = Some(output / 1024);
        let volume = log.and_then(|log| rustix::fs::fstatvfs(log).ok());
        values[FREE] = volume.map(|volume| volume.f_bavail * volume.f_frsize / 1024);
        let sources: &[Source] = match group {
            Group::Version2 => &VERSION_2,
            Group::Version1 => &VERSION_1,
            Group::None => {
                read_tree(processes, &mut values);
                return values;
            }
        };
        let (mut text, mut of) = (String::new(), "");
        for (column, file, key, divisor) in sources {
            if *file != of {
                (text, of) = (read(file), file);
            }
            values[*column] = sum(&text, key).map(|number| number / divisor);
        }
        // Caches that the kernel drops before anything else are not in use.
        let inactive = sum(&read(group.memory_stat()), group.inactive_file()).unwrap_or(0);
        values[MEMORY] = values[MEMORY].map(|bytes| bytes.saturating_sub(inactive) / 1024);
        values
    }

    /// Returns the course for the report, in as few samples as its bound asks for.
    pub(super) fn finish(&mut self) -> Option<report::Course> {
        self.due = None;
        loop {
            if self.samples.is_empty() {
                return None;
            }
            let columns = (0..COLUMNS.len())
                .filter_map(|index| Some((COLUMNS[index].0.to_owned(), self.column(index)?)));
            let (memory_limit_bytes, cpu_limit_millis) = self.group.map_or((None, None), Group::limits);
            let course = report::Course {
                started: Some(self.began_at),
                memory_limit_bytes,
                cpu_limit_millis,
                columns: columns.collect(),
            };
            if self.samples.len() == 1 || course.encoded_len() <= MAX_COURSE_BYTES {
                return Some(course);
            }
            self.thin();
        }
    }

    /// Returns a column's values; `None` where the machine does not tell, and where no
    /// process was killed.
    fn column(&self, index: usize) -> Option<Vec<u64>> {
        let mut values = self.samples.iter().map(|sample| sample[index]);
        let is_counter = COLUMNS[index].1 == Join::Sum && values.clone().any(|value| value.is_some());
        if index == OOM_KILLS && values.clone().all(|value| value.unwrap_or(0) == 0) {
            return None;
        }
        if is_counter {
            return Some(values.map(|value| value.unwrap_or(0)).collect());
        }
        values.try_fold(Vec::new(), |mut all, value| {
            all.push(value?);
            Some(all)
        })
    }
}

/// Returns the CPU time of this thread, the only one.
fn cpu_time() -> Duration {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(used).unwrap_or_default()
}

/// Adds up what the tree uses now.
fn read_tree(processes: &mut Processes, values: &mut Values) {
    let tree = processes.list_tree(Instant::now() + Duration::from_millis(50));
    let (mut memory, mut cpu, mut pids) = (0, 0, 0);
    for listed in tree.iter().take(MAX_PROCESSES) {
        memory += listed.stat.rss_bytes() / 1024;
        cpu += listed.stat.cpu_ms();
        pids += listed.stat.threads;
    }
    if !tree.is_empty() {
        let (_, user, system) = crate::sys::usage_of_children();
        let reaped = u64::try_from((user + system).as_millis()).unwrap_or(0);
        (values[MEMORY], values[CPU], values[PIDS]) = (Some(memory), Some(cpu + reaped), Some(pids));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(interval: Duration) -> Course {
        Course {
            group: Some(Group::None),
            began: Instant::now(),
            began_at: Timestamp::from_nanos(0),
            due: None,
            interval,
            before: [None; COLUMNS.len()],
            samples: Vec::new(),
        }
    }

    #[test]
    fn too_many_samples_are_joined_and_nothing_is_lost() {
        let mut course = course(FIRST_INTERVAL);
        for at in 0..=MAX_SAMPLES as u64 {
            let mut sample = [Some(1); COLUMNS.len()];
            (sample[AT], sample[MEMORY], sample[FREE]) = (Some(at), Some(at * 10), Some(1_000 - at));
            sample[THROTTLED] = None;
            course.samples.push(sample);
        }
        course.thin();
        assert_eq!(course.interval, FIRST_INTERVAL * 2);
        assert_eq!(course.samples.len(), MAX_SAMPLES / 2 + 1);
        let (first, last) = (course.samples[0], course.samples[MAX_SAMPLES / 2]);
        assert_eq!(
            (first[AT], first[MEMORY], first[FREE], first[CPU]),
            (Some(1), Some(10), Some(999), Some(2))
        );
        assert_eq!((last[AT], last[CPU], last[THROTTLED]), (Some(240), Some(1), None), "a single one stays");
        let report = course.finish().expect("a course");
        assert!(!report.columns.contains_key("throttled_ms"), "what is not told is left out");
        assert_eq!(report.columns["cpu_ms"].iter().sum::<u64>(), MAX_SAMPLES as u64 + 1);
        assert_eq!(report.columns.keys().filter(|name| !report::COLUMNS.contains(&name.as_str())).count(), 0);
    }

    #[test]
    fn counters_that_appear_later_begin_with_nothing() {
        let mut course = course(FIRST_INTERVAL);
        let sample = |read, pids, kills| {
            let mut sample = [Some(1); COLUMNS.len()];
            (sample[READ], sample[PIDS], sample[OOM_KILLS]) = (read, pids, kills);
            sample
        };
        course.samples =
            vec![sample(None, Some(1), Some(0)), sample(Some(7), None, Some(2)), sample(None, Some(1), None)];
        let columns = course.finish().expect("a course").columns;
        assert_eq!((&columns["read_kib"], &columns["oom_kills"]), (&vec![0, 7, 0], &vec![0, 2, 0]));
        assert!(!columns.contains_key("pids"), "a level that is not known is not guessed");
        course.thin();
        let columns = course.finish().expect("a course").columns;
        assert_eq!((&columns["read_kib"], &columns["oom_kills"]), (&vec![7, 0], &vec![2, 0]));
        course.samples = vec![sample(None, None, Some(0))];
        assert!(!course.finish().expect("a course").columns.contains_key("oom_kills"), "nothing was killed");
    }

    #[test]
    fn a_course_of_long_numbers_is_thinned_to_its_bound() {
        let mut course = course(FIRST_INTERVAL);
        course.samples = vec![[Some(u64::MAX / 1_000); COLUMNS.len()]; MAX_SAMPLES];
        let report = course.finish().expect("a course");
        assert!(report.encoded_len() <= MAX_COURSE_BYTES, "{}", report.encoded_len());
        assert!(report.columns["at_s"].len() >= 30);
    }

    #[test]
    fn a_costly_sample_is_followed_by_a_long_pause() {
        let mut course = course(PROC_INTERVAL);
        let (before, used) = (Instant::now(), cpu_time());
        course.sample(&mut Processes::default(), 0, None);
        let (cost, took) = (cpu_time().saturating_sub(used), before.elapsed());
        let due = course.due.expect("the next sample");
        assert!(
            due <= before + took + PROC_INTERVAL + cost * MIN_PAUSE_PER_COST,
            "in proportion to the cost"
        );
        assert!(due > before + PROC_INTERVAL, "and not at once");
    }
}
