//! The course of the job: samples of what its container uses.
//!
//! Version 2 and version 1 of control groups, else the processes of /proc. Counters are
//! kept as differences, so that two samples can be joined into one when there are too
//! many: then the interval is doubled. Whatever a sample costs, the pause after it is
//! long enough that sampling takes at most a two-thousandth of the time.

use super::processes::Processes;
use super::sys_files::{Group, read, sum};
use common::report::{self, MAX_COURSE_BYTES, MAX_SAMPLES};
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
const COLUMNS: [(&str, Join); 12] = [
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

/// One value for each column; `None` where the machine does not tell.
type Values = [Option<u64>; COLUMNS.len()];

/// A file of a control group: its column, its path, the key of the number ("" for the
/// first number), and the divisor of its unit.
type Source = (usize, &'static str, &'static str, u64);

const VERSION_2: [Source; 9] = [
    (MEMORY, "/sys/fs/cgroup/memory.current", "", 1),
    (PIDS, "/sys/fs/cgroup/pids.current", "", 1),
    (CPU, "/sys/fs/cgroup/cpu.stat", "usage_usec", 1_000),
    (THROTTLED, "/sys/fs/cgroup/cpu.stat", "throttled_usec", 1_000),
    (READ, "/sys/fs/cgroup/io.stat", "rbytes", 1_024),
    (WRITTEN, "/sys/fs/cgroup/io.stat", "wbytes", 1_024),
    (CPU_PRESSURE, "/sys/fs/cgroup/cpu.pressure", "total", 1_000),
    (MEMORY_PRESSURE, "/sys/fs/cgroup/memory.pressure", "total", 1_000),
    (IO_PRESSURE, "/sys/fs/cgroup/io.pressure", "total", 1_000),
];

const VERSION_1: [Source; 6] = [
    (MEMORY, "/sys/fs/cgroup/memory/memory.usage_in_bytes", "", 1),
    (PIDS, "/sys/fs/cgroup/pids/pids.current", "", 1),
    (CPU, "/sys/fs/cgroup/cpuacct/cpuacct.usage", "", 1_000_000),
    (THROTTLED, "/sys/fs/cgroup/cpu/cpu.stat", "throttled_time", 1_000_000),
    (READ, "/sys/fs/cgroup/blkio/blkio.throttle.io_service_bytes", "Read", 1_024),
    (WRITTEN, "/sys/fs/cgroup/blkio/blkio.throttle.io_service_bytes", "Write", 1_024),
];

/// The samples so far. Begun when the command starts, sampled when due, ended once.
#[derive(Debug)]
pub(super) struct Course {
    /// Looked for by the first sample: a job that ends before it pays nothing.
    group: Option<Group>,
    began: Instant,
    due: Option<Instant>,
    interval: Duration,
    /// The counters of the last sample. Before the first they are those of a container
    /// that has just started, if we are PID 1, else unknown.
    before: Option<Values>,
    samples: Vec<Values>,
}

impl Course {
    /// Begins, now that the command runs.
    pub(super) fn begin() -> Self {
        let began = Instant::now();
        let is_init = rustix::process::getpid().is_init();
        Self {
            group: None,
            began,
            due: began.checked_add(FIRST_INTERVAL),
            interval: FIRST_INTERVAL,
            before: is_init.then_some([Some(0); COLUMNS.len()]),
            samples: Vec::new(),
        }
    }

    /// Returns the time of the next sample.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// Takes the sample that is due.
    pub(super) fn sample(&mut self, processes: &mut Processes, output: u64, log: Option<BorrowedFd<'_>>) {
        let now = Instant::now();
        let group = *self.group.get_or_insert_with(Group::find);
        if group == Group::None {
            self.interval = self.interval.max(PROC_INTERVAL);
        }
        let read = self.read(group, processes, output, log);
        let before = self.before.unwrap_or(read);
        let mut sample = read;
        for (index, (_, join)) in COLUMNS.iter().enumerate() {
            if *join == Join::Sum {
                let before = before[index].unwrap_or(0);
                sample[index] = read[index].map(|value| value.saturating_sub(before));
            }
        }
        self.before = Some(read);
        self.samples.push(sample);
        if self.samples.len() > MAX_SAMPLES {
            self.thin();
        }
        self.due = (now + self.interval).checked_add(now.elapsed() * MIN_PAUSE_PER_COST);
    }

    /// Joins each two samples.
    fn thin(&mut self) {
        self.interval *= 2;
        let joined = self.samples.chunks(2).map(|pair| {
            let mut all = pair[0];
            for (index, (_, join)) in COLUMNS.iter().enumerate() {
                if let (Some(first), Some(Some(second))) =
                    (all[index], pair.get(1).map(|second| second[index]))
                {
                    all[index] = Some(match join {
                        Join::Last => second,
                        Join::Largest => first.max(second),
                        Join::Least => first.min(second),
                        Join::Sum => first + second,
                    });
                }
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
            let columns = COLUMNS.iter().enumerate().filter_map(|(index, (name, _))| {
                let values = self.samples.iter().map(|sample| sample[index]);
                Some(((*name).to_owned(), values.collect::<Option<Vec<_>>>()?))
            });
            let (memory_limit_bytes, cpu_limit_millis) = self.group.map_or((None, None), Group::limits);
            let course = report::Course { memory_limit_bytes, cpu_limit_millis, columns: columns.collect() };
            if self.samples.len() == 1 || course.encoded_len() <= MAX_COURSE_BYTES {
                return Some(course);
            }
            self.thin();
        }
    }
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
            due: None,
            interval,
            before: Some([None; COLUMNS.len()]),
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
        let before = Instant::now();
        course.sample(&mut Processes::default(), 0, None);
        let cost = before.elapsed();
        let due = course.due.expect("the next sample");
        assert!(due <= before + PROC_INTERVAL + cost * (MIN_PAUSE_PER_COST + 1), "in proportion to the cost");
        assert!(due > before + PROC_INTERVAL, "and not at once");
    }
}
