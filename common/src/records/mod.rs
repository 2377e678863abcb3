//! Log records: one JSON object per line (contract E-80 to E-82).
//!
//! Programs log with `tracing`; [`Records`] is a layer that turns each event of
//! our own crates into one line and hands it to a [`Sink`]. Events of
//! dependencies are left out. There are no spans: [`NoSpans`] is the base
//! subscriber that costs nothing.
//!
//! An event's fields become keys of the record; `error = %error` attaches an
//! error. Before a program ends because of an error it uses [`fatal!`](crate::fatal).

mod line;
mod no_spans;

pub use no_spans::NoSpans;
#[doc(hidden)]
pub use tracing;

use crate::timestamp::Timestamp;
use jiff::tz::TimeZone;
use std::io::Write;
use std::sync::LazyLock;
use tracing::subscriber::{Interest, SetGlobalDefaultError};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// Receives finished lines.
pub trait Sink: Send + Sync + 'static {
    /// Writes one line, its newline included. Must neither panic nor log; drops or counts
    /// lines that cannot be written.
    fn write_line(&self, line: &[u8]);

    /// Writes a record as the JSON line `json`, or as the line for people that `plain`
    /// makes, both with their newline. Must neither panic nor log.
    fn write_record(&self, json: &[u8], plain: &dyn Fn() -> Vec<u8>) {
        // Only a writer for people makes the other form.
        let _ = plain;
        self.write_line(json);
    }
}

impl<F: Fn(&[u8]) + Send + Sync + 'static> Sink for F {
    fn write_line(&self, line: &[u8]) {
        self(line);
    }
}

/// The sink for programs that only log to stderr.
pub fn to_stderr(line: &[u8]) {
    // Without stderr there is no place left to report to.
    let _ = std::io::stderr().write_all(line);
}

/// A time zone: for a point in time, the seconds east of UTC.
pub type Zone = fn(Timestamp) -> i32;

/// The zone of entrypoint's records. Looking up the local one would add 130 KiB
/// to its static binary, and containers run in UTC.
pub fn utc(_at: Timestamp) -> i32 {
    0
}

/// The system's zone (`TZ`, `/etc/localtime`), as upstream uses it; UTC without one. Programs that do not name this function do not carry its code.
pub fn local_zone(at: Timestamp) -> i32 {
    static ZONE: LazyLock<TimeZone> = LazyLock::new(TimeZone::system);
    match jiff::Timestamp::from_second(at.as_secs()) {
        Ok(at) => ZONE.to_offset(at).seconds(),
        // Outside the range of years; no clock is that wrong.
        Err(_) => 0,
    }
}

/// A layer that writes events as records.
#[derive(Debug)]
pub struct Records<W> {
    component: String,
    targets: &'static [&'static str],
    level: Level,
    zone: Zone,
    sink: W,
}

impl<W: Sink> Records<W> {
    /// Records of the program `component`, for events of the crates or modules
    /// named in `targets` (`"sidecar"` stands for `sidecar::…` too) at `level`
    /// or above (E-82), written to `sink`. Times are in UTC.
    pub fn new(
        component: impl Into<String>,
        targets: &'static [&'static str],
        level: Level,
        sink: W,
    ) -> Self {
        Self { component: component.into(), targets, level, zone: utc, sink }
    }

    /// Writes times in another zone, usually [`local_zone`].
    #[must_use]
    pub fn zone(self, zone: Zone) -> Self {
        Self { zone, ..self }
    }

    /// Installs this as the program's only logging.
    pub fn install(self) -> Result<(), SetGlobalDefaultError> {
        tracing::subscriber::set_global_default(NoSpans.with(self))
    }

    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        let target = metadata.target();
        let ours = |name: &&str| {
            target.strip_prefix(*name).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        *metadata.level() <= self.level && self.targets.iter().any(ours)
    }
}

impl<S: Subscriber, W: Sink> Layer<S> for Records<W> {
    /// Disables unwanted call sites altogether; each then costs one load.
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.wants(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _context: Context<'_, S>) -> bool {
        self.wants(metadata)
    }

    fn max_level_hint(&self) -> Option<tracing::level_filters::LevelFilter> {
        Some(self.level.into())
    }

    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        if !self.wants(event.metadata()) {
            return;
        }
        let now = Timestamp::now();
        let time = now.in_seconds((self.zone)(now));
        let plain = || line::plain(event, &self.component);
        line::with_line(event, &self.component, &time, |line| self.sink.write_record(line, &plain));
    }
}

/// Logs an error with the level `fatal`: the program ends with status 1 because
/// of it (E-84). Takes what `tracing::error!` takes; ends nothing itself.
#[macro_export]
macro_rules! fatal {
    ($($arg:tt)+) => {
        $crate::records::tracing::error!(fatal = true, $($arg)+)
    };
}

#[cfg(test)]
mod tests;
