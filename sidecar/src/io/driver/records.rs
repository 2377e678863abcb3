//! The words of log records.

use super::Driver;
use crate::deliver::{End, Policy, Record, StoreRecord, TransferRecord};
use crate::io::markers::Entries;
use crate::io::repeated::Repeated;
use common::entry::Entry;
use std::time::Duration;
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

impl Driver {
    /// Writes one record.
    pub(super) fn write_record(&self, record: Record) {
        let entries = &self.settings.entries;
        if let Record::Ended(entry, End::Lost { .. }) = record {
            let cause = self.told().into_iter().nth(entry).map(|(_, told)| told.cause).unwrap_or_default();
            error!("{} is lost: {cause}", name(entries, entry));
        } else if let Record::Unseen(entry) = record {
            let waited = go_duration(Duration::from_secs(self.times.start.elapsed().as_secs()));
            let directory = entries.get(entry).map_or("", |entry| parent(&entry.marker_file));
            warn!(
                "{} has not started within {waited}: there is no lock, log or report in {directory}; look at its \
                 status (image, command, mounts), and at its own output",
                name(entries, entry)
            );
        } else {
            write(record, entries, &self.entries, self.times.pass_began);
        }
    }
}

/// The texts of S-22, S-23 and 3.4 are upstream's.
fn write(record: Record, entries: &[Entry], watched: &Entries, pass_began: Instant) {
    match record {
        Record::InterruptIgnored(signal) => {
            warn!("Received an interrupt: {}, ignoring...", signal.description());
        }
        Record::InterruptCancelling(signal) => {
            error!("Received an interrupt: {}, cancelling...", signal.description());
        }
        Record::InterruptLate(signal) => {
            info!("Received an interrupt: {}, the final upload goes on", signal.description());
        }
        Record::OthersEnded(signal) => {
            info!("Received an interrupt: {}, the other containers have ended", signal.description());
        }
        Record::ToldByReport => warn!("The pod was told to stop, as a report says"),
        Record::Interim => warn!("The time of the pod is nearly over, its result goes out before the rest"),
        Record::AwaitingTerm => info!("Everything is done, waiting to be told to end"),
        Record::Ended(entry, end) => ended(&name(entries, entry), end),
        // It is written above.
        Record::Unseen(_) => {}
        Record::Suspected(entry) => {
            let name = name(entries, entry);
            if let Some(problem) = watched.problem(entry) {
                warn!(error = %problem, "The marker of {name} cannot be read, looking again");
            } else {
                warn!("The lock of {name} is free and its file is gone, looking again");
            }
        }
        Record::WaitOver => warn!("The time to wait for markers is over, uploading what there is"),
        Record::UploadsCut => warn!("The time for uploads is over, what is not stored yet is skipped"),
        Record::DeadlineReached => error!("The given time is over"),
        Record::Upgraded => info!("All entries ended, the best-effort upload becomes the final one"),
        Record::CheckpointDone => debug!("What had changed is delivered"),
        Record::Finished => {
            let duration = go_duration(pass_began.elapsed());
            info!(duration = %duration, "Finished uploading");
        }
        // S-23 has the first of these at level error.
        Record::BestEffortDelivered => error!("Best-effort upload was successful"),
        Record::BestEffortFailed => error!("Failed to perform best-effort upload"),
        Record::Delivered => debug!("Everything was delivered"),
        Record::DeliveryFailed => error!("Failed to report job status"),
    }
}

/// Logs that a pass begins.
pub(super) fn beginning(policy: Policy) {
    match policy {
        Policy::Checkpoint => debug!("Delivering what has changed"),
        Policy::BestEffort | Policy::Final => info!("Starting to upload"),
    }
}

const OUT: &str = "The destination takes nothing at the moment";
const WAITING: &str = "Waiting for the destination";
const BACK: &str = "The destination takes objects again";

/// The beginnings of the records that say how the destination is; `podutils run`
/// shows them.
pub const ABOUT_DESTINATION: [&str; 3] = [OUT, WAITING, BACK];

/// The record about an object that was given up.
pub const FAILED_UPLOAD: &str = "Failed upload";

/// Logs news about the store.
pub(super) fn about_store(record: &StoreRecord) {
    match record {
        StoreRecord::Out(error) => {
            warn!(error = %error, "{OUT}, trying on");
        }
        StoreRecord::Waiting { error, since, open, left } => {
            let (since, left) = (whole_seconds(*since), whole_seconds(*left));
            warn!(error = %error, objects = open, "{WAITING} for {since}, at most {left} more");
        }
        StoreRecord::Back(after) => {
            info!("{BACK}, after {}", whole_seconds(*after));
        }
        StoreRecord::GivenUp(after, objects) => {
            let after = whole_seconds(*after);
            error!(objects, "The destination has taken nothing for {after}, giving up what is left");
        }
    }
}

impl Driver {
    /// Logs news about an object; of failures with the same reason a hundred in a pass.
    pub(super) fn log_transfer(&mut self, number: u32, record: TransferRecord) {
        if let TransferRecord::Failed(error)
        | TransferRecord::OverLimit(error)
        | TransferRecord::Withheld(error)
        | TransferRecord::Skipped(error) = &record
            && !self.repeated.admits(error)
        {
            return;
        }
        let dest = self.describe(&self.core.plan().object(number).desired.key.to_string());
        match record {
            TransferRecord::Queued if self.context.store().is_some() => {
                info!(dest = %dest, "Queued for upload");
            }
            TransferRecord::Queued => {}
            TransferRecord::Stored => info!(dest = %dest, "Finished upload"),
            TransferRecord::Retrying(pause, error) => {
                let when = pause.map_or_else(
                    || "when the store takes objects again".to_owned(),
                    |pause| format!("in {}", go_duration(pause)),
                );
                debug!(dest = %dest, error = %error, "Retrying upload {when}");
            }
            TransferRecord::Failed(error) => error!(dest = %dest, error = %error, "{FAILED_UPLOAD}"),
            TransferRecord::OverLimit(error) => {
                warn!(dest = %dest, error = %error, "Left out, beyond a limit");
            }
            TransferRecord::Withheld(error) => {
                warn!(dest = %dest, error = %error, "Withheld, because it cannot be censored");
            }
            TransferRecord::Skipped(error) => info!(dest = %dest, error = %error, "Skipped upload"),
        }
    }
}

/// Logs how many objects were not logged one by one.
pub(super) fn unwritten(repeated: &mut Repeated) {
    for (error, objects) in repeated.take_unwritten() {
        warn!(error = %error, "{objects} more objects are not delivered, which the manifest names");
    }
}

fn ended(name: &str, end: End) {
    match end {
        End::Marker { code, .. } => info!("{name} ended with code {code}"),
        End::Unreadable => error!("The marker of {name} holds no code, it counts as failed"),
        // It is written above.
        End::Lost { .. } => {}
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or(".", |(parent, _)| parent)
}

/// An entry as people know it.
fn name(entries: &[Entry], index: usize) -> String {
    match entries.get(index) {
        Some(entry) if !entry.container_name.is_empty() => format!("Container {}", entry.container_name),
        Some(_) | None => format!("Entry {index}"),
    }
}

fn whole_seconds(time: Duration) -> String {
    go_duration(Duration::from_secs(time.as_secs()))
}

/// A time as Go writes it, for the field `duration`.
fn go_duration(time: Duration) -> String {
    common::duration::GoDuration::from_std(time).to_string()
}
