//! A listing under way: a thread walks, and the loop takes what it has found so far.

use super::{Begin, Item, Piece, Refused};
use crate::io::object::Wanted;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// Files that the loop is told of at once. Each piece costs a look at all that are
/// known, so that pieces grow with them.
const MIN_PIECE: usize = 1000;

/// Files that the loop is told of at once at most: it takes each piece in one go.
const MAX_PIECE: usize = 10_000;

/// A listing under way. It stops by itself when this is dropped. It waits while what it has
/// found takes the room that it was given, until it is given more.
#[derive(Debug)]
pub struct Walking {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    found: Mutex<Found>,
    news: Notify,
    more_room: Condvar,
    stop: AtomicBool,
}

/// Files that the loop has not taken yet.
#[derive(Debug, Default)]
struct Found {
    /// The secrets, at the begin.
    begin: Option<Begin>,
    items: Option<Vec<Option<Item>>>,
    wanted: Vec<Wanted>,
    skipped: Vec<Refused>,
    displaced: Vec<Refused>,
    files: u64,
    not_listed: u64,
    /// Bytes of what the loop has not taken yet.
    weight: usize,
    /// Bytes that may still be found before the loop allows more.
    room: usize,
    /// The thread waits for room.
    waits: bool,
    /// The loop is told when so many wait.
    due: usize,
    is_through: bool,
}

/// News of a listing.
#[derive(Debug)]
pub enum News {
    /// Files were found; more follow.
    Found(Piece),
    /// The last files were found.
    Through(Piece),
    /// The thread is lost.
    Failed,
}

impl Walking {
    /// Has `list` run on a thread; it calls its argument with each piece. It waits when it
    /// has found `room` bytes.
    pub fn start(
        room: usize,
        list: impl FnOnce(&mut dyn FnMut(Piece) -> ControlFlow<()>) + Send + 'static,
    ) -> Self {
        let shared = Arc::new(Shared::default());
        shared.found().room = room;
        let sink = Arc::clone(&shared);
        let thread = tokio::task::spawn_blocking(move || {
            list(&mut |piece| sink.add(piece));
            sink.found().is_through = true;
            sink.news.notify_one();
        });
        Self { shared, thread }
    }

    /// Waits for news.
    pub async fn news(&mut self) -> News {
        loop {
            {
                let mut found = self.shared.found();
                if found.is_through {
                    return News::Through(found.take());
                }
                if found.is_due() {
                    return News::Found(found.take());
                }
            }
            tokio::select! {
                () = self.shared.news.notified() => {}
                ended = &mut self.thread => {
                    let is_through = ended.is_ok() && self.shared.found().is_through;
                    if !is_through {
                        return News::Failed;
                    }
                }
            }
        }
    }

    /// Lets it find so many bytes that were not taken yet.
    pub fn allow(&self, room: usize) {
        self.shared.found().room = room;
        self.shared.more_room.notify_one();
    }

    /// Returns what was found and not taken yet.
    pub fn take(&self) -> Piece {
        self.shared.found().take()
    }

    /// Counts the files that were found so far.
    pub fn files(&self) -> u64 {
        self.shared.found().files
    }
}

impl Drop for Walking {
    fn drop(&mut self) {
        {
            // It may be about to wait.
            let _found = self.shared.found();
            self.shared.stop.store(true, Ordering::Relaxed);
        }
        self.shared.more_room.notify_one();
    }
}

impl Shared {
    fn found(&self) -> MutexGuard<'_, Found> {
        // Each addition leaves it whole.
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, piece: Piece) -> ControlFlow<()> {
        if self.stop.load(Ordering::Relaxed) {
            return ControlFlow::Break(());
        }
        let mut found = self.found();
        found.files += piece.files;
        found.weight += piece.weight;
        found.not_listed += piece.not_listed;
        if piece.begin.is_some() {
            found.begin = piece.begin;
        }
        if piece.items.is_some() {
            found.items = piece.items;
        }
        found.wanted.extend(piece.wanted);
        found.skipped.extend(piece.skipped);
        found.displaced.extend(piece.displaced);
        found.waits = found.weight >= found.room;
        if found.is_due() {
            self.news.notify_one();
        }
        while found.weight >= found.room && !self.stop.load(Ordering::Relaxed) {
            found = self.more_room.wait(found).unwrap_or_else(PoisonError::into_inner);
        }
        found.waits = false;
        ControlFlow::Continue(())
    }
}

impl Found {
    fn is_due(&self) -> bool {
        // In front of the first file are pointers and logs.
        self.begin.is_some()
            || self.files == 0 && !self.wanted.is_empty()
            || self.wanted.len() >= self.due.max(MIN_PIECE)
            || self.waits && (self.weight > 0 || self.not_listed > 0)
    }

    /// Returns all that was found; it uses room up until more is allowed.
    fn take(&mut self) -> Piece {
        self.room = self.room.saturating_sub(self.weight);
        self.due = usize::try_from(self.files / 8).unwrap_or(usize::MAX).min(MAX_PIECE);
        Piece {
            weight: std::mem::take(&mut self.weight),
            begin: self.begin.take(),
            items: self.items.take(),
            wanted: std::mem::take(&mut self.wanted),
            skipped: std::mem::take(&mut self.skipped),
            displaced: std::mem::take(&mut self.displaced),
            files: 0,
            not_listed: std::mem::take(&mut self.not_listed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::Class;
    use crate::io::listing::document;
    use std::sync::mpsc;

    fn piece(files: usize) -> Piece {
        let wanted = (0..files).map(|n| document(format!("f{n}"), Class::Artifact, "".into()));
        Piece { wanted: wanted.collect(), files: files as u64, ..Piece::default() }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_was_found_can_be_taken_at_any_time_and_a_listing_that_is_dropped_stops() {
        let (told, stopped) = mpsc::channel();
        let mut walking = Walking::start(usize::MAX, move |each| {
            assert!(each(Piece { begin: Some(Begin::default()), ..piece(1) }).is_continue());
            while each(piece(1)).is_continue() {
                std::thread::yield_now();
            }
            told.send(()).expect("somebody waits");
        });
        let News::Found(first) = walking.news().await else { panic!("it goes on") };
        assert!(first.begin.is_some() && !first.wanted.is_empty());
        let News::Found(next) = walking.news().await else { panic!("it goes on") };
        assert!(next.wanted.len() >= MIN_PIECE, "{}", next.wanted.len());
        let rest = walking.take();
        assert!(walking.files() >= (first.wanted.len() + next.wanted.len() + rest.wanted.len()) as u64);
        drop(walking);
        stopped.recv().expect("it stopped");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn i8_it_waits_while_there_is_no_room_and_stops_even_then() {
        let (told, stopped) = mpsc::channel();
        let heavy = || Piece { weight: 100, ..piece(1) };
        let mut walking = Walking::start(250, move |each| {
            assert!(each(Piece { begin: Some(Begin::default()), ..Piece::default() }).is_continue());
            while each(heavy()).is_continue() {}
            told.send(()).expect("somebody waits");
        });
        let (mut taken, mut room) = (0, 250_usize);
        for round in 0..50 {
            let News::Found(found) = walking.news().await else { panic!("it goes on") };
            assert!(found.weight <= 300, "{}", found.weight);
            taken += found.wanted.len();
            let more = room.saturating_sub(found.weight).div_ceil(100);
            std::thread::yield_now();
            assert!(walking.files() <= (taken + more) as u64, "{} of {taken} and {more}", walking.files());
            room = if round % 2 == 0 { 250 } else { 1 };
            walking.allow(room);
        }
        assert!(taken >= 49, "{taken}");
        walking.allow(0);
        drop(walking);
        stopped.recv().expect("it stopped");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn the_end_and_a_panic_are_told() {
        let mut walking = Walking::start(usize::MAX, |each| {
            let _ = each(piece(3));
        });
        let News::Through(all) = walking.news().await else { panic!("it is through") };
        assert_eq!(all.wanted.len(), 3);
        let mut walking = Walking::start(usize::MAX, |each| {
            let _ = each(piece(3));
            panic!("on purpose");
        });
        assert!(matches!(walking.news().await, News::Failed));
        assert_eq!(walking.take().wanted.len(), 3, "what it had found counts");
    }
}
