//! The entries as far as they are known.

use common::report::Reason;
use std::time::Duration;

/// The state of an entry at one look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Observation {
    /// No result yet, and its lock is held.
    Waiting,
    /// Nothing of it: no result, no lock, no log.
    Absent,
    /// No result yet and no lock, but a log: an entrypoint that knows no locks.
    Unlocked,
    /// The lock that was seen is free, but its path is gone.
    Vanished,
    /// A marker that holds no number, or cannot be read.
    Unreadable,
    /// The marker is there.
    Marker {
        /// Its code.
        code: i32,
        /// The report beside it, if there is one.
        report: Option<ReportSummary>,
    },
    /// Entrypoint is gone without a marker.
    Lost,
}

/// The part of a report that counts for the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReportSummary {
    /// The reason why the entry ended.
    pub reason: Reason,
    /// Age of the earliest signal from outside, if one came.
    pub outside: Option<Duration>,
}

/// The end of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// With a marker, and perhaps a report.
    Marker {
        /// The marker's code.
        code: i32,
        /// The report beside it, as far as it counts.
        report: Option<ReportSummary>,
    },
    /// With something that is no marker.
    Unreadable,
    /// Without a marker.
    Lost {
        /// The pod had been told to stop by then.
        told_to_stop: bool,
    },
}

impl End {
    /// The code that counts: -1 where there is none (S-9).
    pub fn code(self) -> i32 {
        match self {
            Self::Marker { code, .. } => code,
            Self::Unreadable | Self::Lost { .. } => -1,
        }
    }
}

/// The reason why an entry is suspect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Suspicion {
    Unreadable,
    Vanished,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Entry {
    /// Nothing of it was ever there.
    Unseen,
    /// The same, for too long: unless the next look finds something, it is lost.
    Overdue,
    Running,
    Suspect(Suspicion),
    Ended(End),
}

/// The change that an observation made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Change {
    /// Nothing.
    None,
    /// The entry is no longer suspect.
    Cleared,
    /// Something of the entry is there for the first time.
    Begun,
    /// The entry became suspect, or for another reason.
    Suspected,
    /// The entry ended.
    Ended(End),
}

/// All entries, in their order. An end is final: nothing changes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Entries(Vec<Entry>);

impl Entries {
    /// Nothing of any is there.
    pub(super) fn new(count: usize) -> Self {
        Self(vec![Entry::Unseen; count])
    }

    /// Takes an observation of an entry into account.
    /// When the containers are known to have ended, nobody holds what looks
    /// doubtful, and nothing of it will change.
    pub(super) fn observe(
        &mut self,
        index: usize,
        observation: Observation,
        told_to_stop: bool,
        all_gone: bool,
    ) -> Change {
        let Some(entry) = self.0.get_mut(index) else { return Change::None };
        let before = *entry;
        *entry = match (before, observation) {
            (Entry::Ended(_), _) => before,
            (_, Observation::Absent | Observation::Unlocked | Observation::Vanished) if all_gone => {
                Entry::Ended(End::Lost { told_to_stop })
            }
            (_, Observation::Unreadable) if all_gone => Entry::Ended(End::Unreadable),
            (Entry::Overdue, Observation::Absent) | (_, Observation::Lost) => {
                Entry::Ended(End::Lost { told_to_stop })
            }
            (Entry::Unseen, Observation::Absent) => Entry::Unseen,
            (_, Observation::Waiting | Observation::Unlocked | Observation::Absent) => Entry::Running,
            (_, Observation::Vanished) => Entry::Suspect(Suspicion::Vanished),
            (_, Observation::Unreadable) => Entry::Suspect(Suspicion::Unreadable),
            (_, Observation::Marker { code, report }) => Entry::Ended(End::Marker { code, report }),
        };
        match *entry {
            after if after == before => Change::None,
            Entry::Running if matches!(before, Entry::Unseen | Entry::Overdue) => Change::Begun,
            Entry::Unseen | Entry::Overdue | Entry::Running => Change::Cleared,
            Entry::Suspect(_) => Change::Suspected,
            Entry::Ended(end) => Change::Ended(end),
        }
    }

    /// Ends an entry that has been suspect for long enough.
    pub(super) fn suspicion_is_over(&mut self, index: usize, told_to_stop: bool) -> Change {
        let Some(entry) = self.0.get_mut(index) else { return Change::None };
        let end = match *entry {
            Entry::Suspect(Suspicion::Unreadable) => End::Unreadable,
            Entry::Suspect(Suspicion::Vanished) => End::Lost { told_to_stop },
            Entry::Unseen | Entry::Overdue | Entry::Running | Entry::Ended(_) => return Change::None,
        };
        *entry = Entry::Ended(end);
        Change::Ended(end)
    }

    /// Takes into account that nothing of this entry has been there for long enough.
    /// Returns whether a look at it decides.
    pub(super) fn start_is_overdue(&mut self, index: usize) -> bool {
        let is_unseen = self.is_unseen(index);
        if let Some(entry) = self.0.get_mut(index).filter(|_| is_unseen) {
            *entry = Entry::Overdue;
        }
        is_unseen
    }

    /// Returns whether nothing of this entry was ever there.
    pub(super) fn is_unseen(&self, index: usize) -> bool {
        matches!(self.0.get(index), Some(Entry::Unseen | Entry::Overdue))
    }

    /// Returns how this entry ended; `None` while it runs.
    pub(super) fn end(&self, index: usize) -> Option<End> {
        self.0.get(index).copied().and_then(end_of)
    }

    /// Counts those that have not ended.
    pub(super) fn running(&self) -> usize {
        self.0.iter().filter(|entry| end_of(**entry).is_none()).count()
    }

    /// Returns how all ended; `None` while one runs.
    pub(super) fn all(&self) -> Option<Vec<End>> {
        self.0.iter().copied().map(end_of).collect()
    }
}

fn end_of(entry: Entry) -> Option<End> {
    match entry {
        Entry::Ended(end) => Some(end),
        Entry::Unseen | Entry::Overdue | Entry::Running | Entry::Suspect(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_suspicion_starts_anew_and_the_same_one_does_not() {
        let mut entries = Entries::new(1);
        assert_eq!(entries.observe(0, Observation::Unreadable, false, false), Change::Suspected);
        assert_eq!(entries.observe(0, Observation::Unreadable, false, false), Change::None);
        assert_eq!(entries.observe(0, Observation::Vanished, false, false), Change::Suspected);
        assert_eq!(entries.observe(0, Observation::Waiting, false, false), Change::Cleared);
        assert_eq!(entries.suspicion_is_over(0, false), Change::None);
    }

    #[test]
    fn an_end_is_final() {
        let mut entries = Entries::new(1);
        let end = End::Marker { code: 0, report: None };
        assert_eq!(
            entries.observe(0, Observation::Marker { code: 0, report: None }, false, false),
            Change::Ended(end)
        );
        for observation in [
            Observation::Lost,
            Observation::Waiting,
            Observation::Unreadable,
            Observation::Marker { code: 1, report: None },
        ] {
            assert_eq!(entries.observe(0, observation, true, false), Change::None);
        }
        assert_eq!(entries.all(), Some(vec![end]));
    }

    #[test]
    fn when_the_containers_are_gone_only_a_held_lock_means_running() {
        for (observation, end) in [
            (Observation::Absent, Some(End::Lost { told_to_stop: false })),
            (Observation::Unlocked, Some(End::Lost { told_to_stop: false })),
            (Observation::Vanished, Some(End::Lost { told_to_stop: false })),
            (Observation::Unreadable, Some(End::Unreadable)),
            (Observation::Waiting, None),
        ] {
            let mut entries = Entries::new(1);
            let _ = entries.observe(0, observation, false, true);
            assert_eq!(entries.end(0), end, "{observation:?}");
        }
    }

    #[test]
    fn an_entry_is_unseen_until_something_of_it_is_there() {
        for observation in [Observation::Waiting, Observation::Unlocked] {
            let mut entries = Entries::new(1);
            assert_eq!(entries.observe(0, Observation::Absent, false, false), Change::None);
            assert!(entries.is_unseen(0));
            assert_eq!(entries.observe(0, observation, false, false), Change::Begun);
            assert_eq!(entries.observe(0, Observation::Absent, false, false), Change::None);
            assert!(!entries.start_is_overdue(0), "{observation:?}");
        }
        let lost = End::Lost { told_to_stop: true };
        for (observation, change) in
            [(Observation::Absent, Change::Ended(lost)), (Observation::Waiting, Change::Begun)]
        {
            let mut entries = Entries::new(1);
            assert!(entries.start_is_overdue(0) && entries.is_unseen(0));
            assert_eq!(entries.observe(0, observation, true, false), change);
        }
        assert!(!Entries::new(1).start_is_overdue(1));
    }

    #[test]
    fn unknown_entries_change_nothing() {
        assert_eq!(Entries::new(1).observe(1, Observation::Lost, false, false), Change::None);
        assert_eq!(Entries::new(1).suspicion_is_over(1, false), Change::None);
    }
}
