//! The entries as far as they are known.

use super::event::{Look, Told};

/// How an entry ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// With a marker, and perhaps a report.
    Marker {
        /// The marker's code.
        code: i32,
        /// What the report says.
        told: Option<Told>,
    },
    /// With something that is no marker.
    Unreadable,
    /// Without a marker.
    Lost {
        /// Whether the pod had been told to stop by then.
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

/// What makes an entry's state doubtful.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Doubt {
    Unreadable,
    Vanished,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Entry {
    Running,
    Doubtful(Doubt),
    Ended(End),
}

/// What a look changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Change {
    /// Nothing.
    None,
    /// A doubt is gone.
    Cleared,
    /// A doubt begins, or another one.
    Doubted,
    /// The entry ended.
    Ended(End),
}

/// All entries, in their order. An end is final: nothing changes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Entries(Vec<Entry>);

impl Entries {
    /// All are running.
    pub(super) fn new(count: usize) -> Self {
        Self(vec![Entry::Running; count])
    }

    /// Takes a look at an entry into account.
    /// When the containers are known to have ended, nobody holds what looks
    /// doubtful, and nothing of it will change.
    pub(super) fn seen(&mut self, index: usize, look: Look, told_to_stop: bool, all_gone: bool) -> Change {
        let Some(entry) = self.0.get_mut(index) else { return Change::None };
        let before = *entry;
        *entry = match (before, look) {
            (Entry::Ended(_), _) => before,
            (_, Look::Absent | Look::Vanished) if all_gone => Entry::Ended(End::Lost { told_to_stop }),
            (_, Look::Unreadable) if all_gone => Entry::Ended(End::Unreadable),
            (_, Look::Waiting | Look::Absent) => Entry::Running,
            (_, Look::Vanished) => Entry::Doubtful(Doubt::Vanished),
            (_, Look::Unreadable) => Entry::Doubtful(Doubt::Unreadable),
            (_, Look::Marker { code, told }) => Entry::Ended(End::Marker { code, told }),
            (_, Look::Lost) => Entry::Ended(End::Lost { told_to_stop }),
        };
        match *entry {
            after if after == before => Change::None,
            Entry::Running => Change::Cleared,
            Entry::Doubtful(_) => Change::Doubted,
            Entry::Ended(end) => Change::Ended(end),
        }
    }

    /// The doubt about an entry has lasted long enough: it counts.
    pub(super) fn doubt_is_over(&mut self, index: usize, told_to_stop: bool) -> Change {
        let Some(entry) = self.0.get_mut(index) else { return Change::None };
        let end = match *entry {
            Entry::Doubtful(Doubt::Unreadable) => End::Unreadable,
            Entry::Doubtful(Doubt::Vanished) => End::Lost { told_to_stop },
            Entry::Running | Entry::Ended(_) => return Change::None,
        };
        *entry = Entry::Ended(end);
        Change::Ended(end)
    }

    /// How this entry ended; `None` while it runs.
    pub(super) fn end(&self, index: usize) -> Option<End> {
        self.0.get(index).copied().and_then(end_of)
    }

    /// How many have not ended.
    pub(super) fn running(&self) -> usize {
        self.0.iter().filter(|entry| end_of(**entry).is_none()).count()
    }

    /// How all ended; `None` while one runs.
    pub(super) fn all(&self) -> Option<Vec<End>> {
        self.0.iter().copied().map(end_of).collect()
    }
}

fn end_of(entry: Entry) -> Option<End> {
    match entry {
        Entry::Ended(end) => Some(end),
        Entry::Running | Entry::Doubtful(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_doubt_starts_anew_and_the_same_one_does_not() {
        let mut entries = Entries::new(1);
        assert_eq!(entries.seen(0, Look::Unreadable, false, false), Change::Doubted);
        assert_eq!(entries.seen(0, Look::Unreadable, false, false), Change::None);
        assert_eq!(entries.seen(0, Look::Vanished, false, false), Change::Doubted);
        assert_eq!(entries.seen(0, Look::Waiting, false, false), Change::Cleared);
        assert_eq!(entries.doubt_is_over(0, false), Change::None);
    }

    #[test]
    fn an_end_is_final() {
        let mut entries = Entries::new(1);
        let end = End::Marker { code: 0, told: None };
        assert_eq!(entries.seen(0, Look::Marker { code: 0, told: None }, false, false), Change::Ended(end));
        for look in [Look::Lost, Look::Waiting, Look::Unreadable, Look::Marker { code: 1, told: None }] {
            assert_eq!(entries.seen(0, look, true, false), Change::None);
        }
        assert_eq!(entries.all(), Some(vec![end]));
    }

    #[test]
    fn when_the_containers_are_gone_only_a_held_lock_means_running() {
        for (look, end) in [
            (Look::Absent, Some(End::Lost { told_to_stop: false })),
            (Look::Vanished, Some(End::Lost { told_to_stop: false })),
            (Look::Unreadable, Some(End::Unreadable)),
            (Look::Waiting, None),
        ] {
            let mut entries = Entries::new(1);
            let _ = entries.seen(0, look, false, true);
            assert_eq!(entries.end(0), end, "{look:?}");
        }
    }

    #[test]
    fn unknown_entries_change_nothing() {
        assert_eq!(Entries::new(1).seen(1, Look::Lost, false, false), Change::None);
        assert_eq!(Entries::new(1).doubt_is_over(1, false), Change::None);
    }
}
