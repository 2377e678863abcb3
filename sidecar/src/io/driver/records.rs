//! The words for what the machine wants recorded.

use crate::deliver::{End, Policy, Record};
use crate::io::markers::WatchedEntry;
use common::entry::Entry;
use std::time::Duration;
use tracing::{debug, error, info, warn};

/// Writes one record. The texts of S-22, S-23 and 3.4 are upstream's.
pub(super) fn write(record: Record, entries: &[Entry], watched: &[&WatchedEntry]) {
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
        Record::Staying => info!("Everything is done, waiting to be told to end"),
        Record::Ended(entry, end) => ended(&name(entries, entry), end),
        Record::Doubted(entry) => {
            let name = name(entries, entry);
            if let Some(problem) = watched.get(entry).and_then(|entry| entry.problem()) {
                warn!(error = %problem, "The marker of {name} cannot be read, looking again");
            } else {
                warn!("The lock of {name} is free and its file is gone, looking again");
            }
        }
        Record::WaitOver => warn!("The time to wait for markers is over, uploading what there is"),
        Record::Cut => warn!("The time for uploads is over, what is not stored yet is skipped"),
        Record::DeadlineReached => error!("The given time is over"),
        Record::Upgraded => info!("All entries ended, the best-effort upload becomes the final one"),
        Record::Starting(Policy::Checkpoint) => debug!("Delivering what has changed"),
        Record::CheckpointDone => debug!("What had changed is delivered"),
        Record::Starting(Policy::BestEffort | Policy::Final) => info!("Starting to upload"),
        // S-23 has the first of these at level error.
        Record::BestEffortDelivered => error!("Best-effort upload was successful"),
        Record::BestEffortFailed => error!("Failed to perform best-effort upload"),
        Record::Delivered => debug!("Everything was delivered"),
        Record::DeliveryFailed => error!("Failed to report job status"),
    }
}

fn ended(name: &str, end: End) {
    match end {
        End::Marker { code, .. } => info!("{name} ended with code {code}"),
        End::Unreadable => error!("The marker of {name} holds no code, it counts as failed"),
        End::Lost { .. } => {
            error!("{name} is lost: entrypoint was killed from outside, most likely out of memory");
        }
    }
}

/// An entry as people know it.
fn name(entries: &[Entry], index: usize) -> String {
    match entries.get(index) {
        Some(entry) if !entry.container_name.is_empty() => format!("Container {}", entry.container_name),
        Some(_) | None => format!("Entry {index}"),
    }
}

/// A time as Go writes it, for the field `duration`.
pub(super) fn go_duration(time: Duration) -> String {
    common::duration::GoDuration::from_std(time).to_string()
}
