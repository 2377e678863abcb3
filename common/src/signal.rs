//! Signals by the names that logs and reports use.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A signal number of Linux.
///
/// Reports name a signal like `SIGTERM` ([`fmt::Display`]); the records that
/// people's tools match on use Go's words ([`Signal::description`]).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Signal(i32);

/// Number, name and Go's description (`syscall.Signal.String`) of each signal.
const TABLE: &[(i32, &str, &str)] = &[
    (1, "SIGHUP", "hangup"),
    (2, "SIGINT", "interrupt"),
    (3, "SIGQUIT", "quit"),
    (4, "SIGILL", "illegal instruction"),
    (5, "SIGTRAP", "trace/breakpoint trap"),
    (6, "SIGABRT", "aborted"),
    (7, "SIGBUS", "bus error"),
    (8, "SIGFPE", "floating point exception"),
    (9, "SIGKILL", "killed"),
    (10, "SIGUSR1", "user defined signal 1"),
    (11, "SIGSEGV", "segmentation fault"),
    (12, "SIGUSR2", "user defined signal 2"),
    (13, "SIGPIPE", "broken pipe"),
    (14, "SIGALRM", "alarm clock"),
    (15, "SIGTERM", "terminated"),
    (16, "SIGSTKFLT", "stack fault"),
    (17, "SIGCHLD", "child exited"),
    (18, "SIGCONT", "continued"),
    (19, "SIGSTOP", "stopped (signal)"),
    (20, "SIGTSTP", "stopped"),
    (21, "SIGTTIN", "stopped (tty input)"),
    (22, "SIGTTOU", "stopped (tty output)"),
    (23, "SIGURG", "urgent I/O condition"),
    (24, "SIGXCPU", "CPU time limit exceeded"),
    (25, "SIGXFSZ", "file size limit exceeded"),
    (26, "SIGVTALRM", "virtual timer expired"),
    (27, "SIGPROF", "profiling timer expired"),
    (28, "SIGWINCH", "window changed"),
    (29, "SIGIO", "I/O possible"),
    (30, "SIGPWR", "power failure"),
    (31, "SIGSYS", "bad system call"),
];

/// The first real-time signal, as Docker and containerd count. (Both C libraries use
/// the kernel's 32 and 33 themselves; musl also 34.)
const RTMIN: i32 = 34;

/// The last real-time signal of the lower half, which is named after the first one.
const RTMIDDLE: i32 = RTMIN + 15;

/// The highest signal number of Linux (`_NSIG`).
const HIGHEST: i32 = 64;

impl Signal {
    /// Hang-up.
    pub const HUP: Self = Self(1);
    /// Interrupt from the keyboard.
    pub const INT: Self = Self(2);
    /// Quit from the keyboard.
    pub const QUIT: Self = Self(3);
    /// Kill; cannot be caught.
    pub const KILL: Self = Self(9);
    /// For the program's own use.
    pub const USR1: Self = Self(10);
    /// For the program's own use.
    pub const USR2: Self = Self(12);
    /// Write to a pipe without a reader.
    pub const PIPE: Self = Self(13);
    /// Request to terminate.
    pub const TERM: Self = Self(15);
    /// A child changed its state.
    pub const CHLD: Self = Self(17);
    /// Continue when stopped.
    pub const CONT: Self = Self(18);
    /// Stop; cannot be caught.
    pub const STOP: Self = Self(19);
    /// A file grew beyond the process's limit.
    pub const XFSZ: Self = Self(25);
    /// The terminal's size changed.
    pub const WINCH: Self = Self(28);
    /// Power failure; stops some containers.
    pub const PWR: Self = Self(30);
    /// `SIGRTMIN+3`: stops systemd.
    pub const RTMIN_3: Self = Self(RTMIN + 3);

    /// The signal with this number; `None` when Linux has no such signal.
    pub const fn from_raw(number: i32) -> Option<Self> {
        if number >= 1 && number <= HIGHEST { Some(Self(number)) } else { None }
    }

    /// Returns true for a signal that the process's own doing raises, such as an invalid
    /// access, a limit that it passes or a timer that it sets.
    pub const fn is_own_doing(self) -> bool {
        matches!(self.0, 4..=8 | 11 | 13 | 14 | 24..=27 | 31)
    }

    /// The number, as `kill` takes it.
    pub const fn as_raw(self) -> i32 {
        self.0
    }

    /// Go's word for the signal, as upstream's records show it: `terminated`
    /// for TERM, `signal 40` for a real-time signal.
    pub fn description(self) -> String {
        match TABLE.iter().find(|row| row.0 == self.0) {
            Some(row) => row.2.to_owned(),
            None => format!("signal {}", self.0),
        }
    }
}

/// The signal that kill(1) sends when it is told none.
impl Default for Signal {
    fn default() -> Self {
        Self::TERM
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match TABLE.iter().find(|row| row.0 == self.0) {
            Some(row) => f.write_str(row.1),
            None => match self.0 {
                RTMIN => f.write_str("SIGRTMIN"),
                HIGHEST => f.write_str("SIGRTMAX"),
                number @ RTMIN..=RTMIDDLE => write!(f, "SIGRTMIN+{}", number - RTMIN),
                number if number > RTMIDDLE => write!(f, "SIGRTMAX-{}", HIGHEST - number),
                number => write!(f, "SIG{number}"),
            },
        }
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text names no signal of Linux.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no signal; allowed are names such as SIGTERM")]
pub struct UnknownSignal(String);

impl FromStr for Signal {
    type Err = UnknownSignal;

    /// Accepts the names of Kubernetes and Docker in any case, with or without `SIG`
    /// (`SIGTERM`, `term`, `SIGRTMIN+3`), and numbers (`15`, `SIG40`).
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let upper = text.to_ascii_uppercase();
        let short = upper.strip_prefix("SIG").unwrap_or(&upper);
        TABLE
            .iter()
            .find(|row| &row.1[3..] == short)
            .map(|row| row.0)
            .or_else(|| real_time(short))
            .or_else(|| short.parse().ok())
            .and_then(Self::from_raw)
            .ok_or_else(|| UnknownSignal(text.to_owned()))
    }
}

/// Returns the number of `RTMIN`, `RTMIN+3`, `RTMAX-2` or `RTMAX`.
fn real_time(name: &str) -> Option<i32> {
    let offset = |rest: &str, sign: char| match rest.strip_prefix(sign) {
        Some(digits) => digits.parse::<i32>().ok().filter(|offset| (0..=HIGHEST - RTMIN).contains(offset)),
        None => rest.is_empty().then_some(0),
    };
    if let Some(rest) = name.strip_prefix("RTMIN") {
        return Some(RTMIN + offset(rest, '+')?);
    }
    Some(HIGHEST - offset(name.strip_prefix("RTMAX")?, '-')?)
}

impl Serialize for Signal {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Signal {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_go_both_ways() {
        for number in 1..=HIGHEST {
            let signal = Signal::from_raw(number).expect("in range");
            assert_eq!(signal.to_string().parse(), Ok(signal));
        }
        assert_eq!("TERM".parse(), Ok(Signal::TERM));
        assert_eq!("sigterm".parse(), Ok(Signal::TERM));
        assert_eq!("15".parse(), Ok(Signal::TERM));
        assert!("SIGNOTHING".parse::<Signal>().is_err());
        assert!("SIG65".parse::<Signal>().is_err());
        assert_eq!(Signal::from_raw(0), None);
    }

    #[test]
    fn real_time_signals_are_counted_as_docker_does() {
        for (name, number) in
            [("SIGRTMIN", 34), ("SIGRTMIN+3", 37), ("SIGRTMIN+15", 49), ("SIGRTMAX-14", 50), ("SIGRTMAX", 64)]
        {
            let signal: Signal = name.parse().expect(name);
            assert_eq!((signal.as_raw(), signal.to_string().as_str()), (number, name));
        }
        assert_eq!("RTMIN+3".parse(), Ok(Signal::RTMIN_3));
        assert_eq!("RTMAX-30".parse::<Signal>().map(Signal::as_raw), Ok(34));
        for wrong in ["RTMIN+31", "RTMIN-1", "RTMAX+1", "RTMIN+", "RTMIN3", "RT"] {
            assert!(wrong.parse::<Signal>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn descriptions_are_upstreams_words() {
        assert_eq!(Signal::TERM.description(), "terminated");
        assert_eq!(Signal::INT.description(), "interrupt");
        assert_eq!(Signal::KILL.description(), "killed");
    }
}
