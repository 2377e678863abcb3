//! The steps of an input.

use super::{DOCUMENT, FINAL, Held, Mutation, PROVISIONAL, SIZES, Walk, World, class_of, desired};
use common::signal::Signal;
use sidecar::deliver::{
    Bulk, Class, Document, Event, Failure, Input, ObjectStatus, Observation, Outcome, Precondition, Timer,
};
use std::time::Duration;

impl World {
    fn change(&mut self, file: u8) {
        let content = self.unique();
        let key = match file % 16 {
            0 => "build-log.txt".to_owned(),
            // Of two directories.
            number => format!("artifacts/{}/{number}", number % 2),
        };
        self.files.insert(key, (SIZES[usize::from(file >> 4) % SIZES.len()], content));
    }

    /// Tells the next files; a walk finds them as they are now.
    pub(super) fn find(&mut self, count: usize, is_last: bool, odd: bool) {
        let Some(Walk { policy, next }) = self.walk else { return };
        let mut bulk = Bulk { is_partial: odd && is_last, ..Bulk::default() };
        for (number, (key, (bytes, content))) in self.files.iter().enumerate().skip(next).take(count) {
            let file = desired(key, class_of(key), *bytes, *content);
            if odd && number % 5 == 4 {
                bulk.skipped.push((file, "it is no regular file".to_owned()));
            } else {
                self.listed.insert(key.clone(), *content);
                bulk.wanted.push(file);
            }
        }
        if is_last {
            self.walk = None;
            self.is_whole = !odd;
            self.input(Input::Listed(policy, bulk));
        } else {
            self.walk = Some(Walk { policy, next: next.saturating_add(count) });
            self.input(Input::Found(policy, bulk));
        }
    }

    fn nth_request(&self, index: u8) -> Option<u32> {
        self.requests.keys().nth(usize::from(index) % self.requests.len().max(1)).copied()
    }

    /// The store carries a request out; returns whether it has written.
    fn apply(&mut self, number: u32) -> bool {
        let request = &self.requests[&number];
        let Some((content, precondition)) = &request.write else { return false };
        let there = self.bucket.get(&request.key);
        let holds = match precondition {
            Precondition::Overwrite => true,
            Precondition::IfAbsent => there.is_none(),
            Precondition::IfVersion(version) => there == Some(version),
        };
        if holds {
            self.last_applied.clone_from(&request.key);
            self.bucket.insert(request.key.clone(), *content);
        }
        holds
    }

    pub(super) fn served(&mut self, number: u32) {
        let written = self.apply(number);
        let request = self.requests.remove(&number).expect("it is on its way");
        let Some((content, _)) = request.write else {
            let status = self.bucket.get(&request.key).map_or(ObjectStatus::Absent, |version| {
                ObjectStatus::Present { version: *version, content: b"4".to_vec() }
            });
            return self.input(Input::ObjectLookedAt(number, status));
        };
        if !written {
            return self.input(Input::TransferEnded(number, Outcome::PreconditionFailed));
        }
        if request.class == Class::Artifact {
            self.sent += request.bytes;
            let is_within = self.weights.sent_bytes.is_none_or(|most| self.sent <= most);
            assert!(is_within || self.listings > 1, "I8: {} bytes were sent", self.sent);
        }
        let changed = self.files.get(&request.key).is_some_and(|(_, now)| *now != content);
        let record = Held(Some(content));
        let outcome = Outcome::Stored { read: Some(content), changed, bytes: request.bytes, record };
        self.input(Input::TransferEnded(number, outcome));
    }

    fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| self.now >= deadline)
    }

    fn failed(&mut self, number: u32, failure: Failure, is_applied: bool) {
        if is_applied {
            self.apply(number);
        }
        let request = self.requests.remove(&number).expect("it is on its way");
        let is_repeated = matches!(failure, Failure::Transient { .. });
        self.result_failed |= request.class == Class::Result && (!is_repeated || self.is_late());
        self.input(Input::TransferEnded(number, Outcome::Failed(failure)));
    }

    pub(super) fn aborted(&mut self, number: u32, is_applied: bool) {
        if is_applied {
            self.apply(number);
        }
        let request = self.requests.remove(&number).expect("it is on its way");
        self.result_failed |= request.class == Class::Result && self.is_late();
        self.input(Input::TransferEnded(number, Outcome::Aborted));
    }

    pub(super) fn compose(&mut self, index: usize, has_page: bool) {
        if index >= self.composing.len() {
            return;
        }
        let document = self.composing.remove(index);
        let unique = self.unique();
        let is_final = self.core.machine().ends().is_some();
        let made = match &document {
            Document::OwnLog => desired("sidecar-logs.json", Class::OwnLog, 9, DOCUMENT + unique),
            Document::Page if !has_page => return self.input(Input::NotComposed),
            Document::Page => desired("report.html", Class::Page, 9, DOCUMENT + unique),
            Document::Manifest if self.mutation == Some(Mutation::ResultBeforeManifest) => {
                // It is taken for the own log, which has been sent.
                desired("sidecar-logs.json", Class::OwnLog, 9, DOCUMENT + unique)
            }
            Document::Manifest => desired("manifest.json", Class::Manifest, 9, DOCUMENT + unique),
            Document::Result(_) | Document::WithheldNote { .. } => {
                let content = if is_final { FINAL } else { PROVISIONAL };
                desired("finished.json", Class::Result, 9, content + unique)
            }
        };
        self.input(Input::Composed(document, made));
    }

    pub(super) fn retire(&mut self) {
        let before = self.core.plan().summary();
        let retired = self.core.retire();
        assert!(retired.iter().all(|object| !object.state.is_open()), "open: {retired:?}");
        assert_eq!(self.core.plan().summary(), before, "what is taken out still counts");
    }

    pub(super) fn see(&mut self, entry: u8, observation: Observation) {
        let entry = usize::from(entry) % self.entries;
        let is_marker = matches!(observation, Observation::Marker { .. });
        if is_marker && self.mutation == Some(Mutation::DeafToMarkers) {
            return;
        }
        self.event(Event::Observed { entry, observation });
    }

    fn request_ends(&mut self, how: u8, argument: u8) {
        let Some(number) = self.nth_request(argument) else { return };
        let text = || "a reason".to_owned();
        let transient = || Failure::Transient { message: "503".to_owned(), wish: None };
        let (is_write, is_aborted) = (self.requests[&number].write.is_some(), self.requests[&number].aborted);
        let is_file = class_of(&self.requests[&number].key) == Class::Artifact;
        let odd = argument > 127;
        match how {
            0 if is_aborted => self.aborted(number, odd),
            1 => self.failed(number, transient(), odd),
            2 => self.failed(number, Failure::Permanent(text()), false),
            3 if is_write && is_file => self.failed(number, Failure::Withheld(text()), false),
            4 if is_write && is_file => self.failed(number, Failure::OverLimit(text()), false),
            5 if is_write && is_file => self.failed(number, Failure::Unsteady(text()), false),
            6 if !is_write => {
                self.requests.remove(&number);
                let status = if odd { ObjectStatus::Unreadable } else { ObjectStatus::Unanswered(text()) };
                self.input(Input::ObjectLookedAt(number, status));
            }
            _ => self.served(number),
        }
    }

    pub(super) fn take(&mut self, step: u8, argument: u8) {
        self.now += Duration::from_millis(u64::from(argument) * 40);
        let odd = argument > 127;
        match step % 24 {
            0..=3 => self.change(argument),
            4 => {
                let key = self.files.keys().nth(usize::from(argument) % self.files.len()).cloned();
                self.files
                    .retain(|known, _| Some(known) != key.as_ref() || class_of(known) != Class::Artifact);
            }
            5 | 6 => self.find(usize::from(argument % 8), false, odd),
            7 => self.find(usize::MAX, true, odd),
            8 => {
                if let Some(walk) = self.walk.take() {
                    self.input(Input::ListingFailed(walk.policy));
                }
            }
            9..=16 => self.request_ends(step % 24 - 9, argument),
            17 | 18 => self.compose(usize::from(argument) % self.composing.len().max(1), odd),
            19 => {
                let timer = self.timers.iter().nth(usize::from(argument) % self.timers.len().max(1)).copied();
                if let Some(timer) = timer {
                    let result = self.core.plan().find("finished.json");
                    self.result_failed |=
                        timer == Timer::GiveUp && result.is_some_and(|it| it.state.is_open());
                    self.timers.remove(&timer);
                    self.event(Event::Fired(timer));
                }
            }
            20 => self.see(argument, Observation::Marker { code: i32::from(argument / 100), report: None }),
            21 => {
                let seen =
                    [Observation::Waiting, Observation::Absent, Observation::Vanished, Observation::Lost];
                self.see(argument, seen[usize::from(argument / 2) % seen.len()]);
            }
            22 => self.event(Event::Interrupt(if odd { Signal::TERM } else { Signal::INT })),
            _ => self.retire(),
        }
    }
}
