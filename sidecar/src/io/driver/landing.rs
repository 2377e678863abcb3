//! What becomes of an attempt that has landed.

use super::{Driver, records};
use crate::deliver::{Class, Failure, Policy, State};
use crate::io::flight::{Landed, Sent};
use crate::io::jitter::jitter;
use crate::io::listing::document;
use crate::io::object::{Fingerprint, Origin, Record as Stored};
use crate::layout::paths::WITHHELD_SUFFIX;
use std::iter::once;

impl Driver {
    pub(super) fn landed(&mut self, number: u32, sent: Sent, landed: Landed) {
        let object = self.plan.object(number);
        let (key, class) = (object.desired.key.clone(), object.desired.class);
        let arrived = match &landed {
            Landed::Stored(Some(stored)) => Some(stored.stored_bytes),
            Landed::Stored(None) | Landed::Failed(_) | Landed::GivenUp => None,
        };
        self.pace.ended(object.desired.bytes, arrived, self.start.elapsed());
        match landed {
            Landed::GivenUp => self.plan.given_up(number),
            Landed::Stored(None) => {
                self.plan.stored(number, sent.fingerprint, false, Stored::default());
            }
            Landed::Stored(Some(stored)) => {
                let fingerprint = stored
                    .source_stamp
                    .as_ref()
                    .map_or(sent.fingerprint, |stamp| Fingerprint::of_file(stamp).under(sent.generation));
                let changed = stored.changed;
                let provisional = self.policy != Policy::Final || class == Class::Result;
                tracing::info!(dest = %self.describe(&key), "Finished upload");
                self.plan.stored(
                    number,
                    fingerprint,
                    changed,
                    Stored::new(*stored, provisional, &self.types),
                );
            }
            Landed::Failed(failure) => self.failed(number, &key, class, failure),
        }
        self.proceed();
    }

    fn failed(&mut self, number: u32, key: &str, class: Class, failure: Failure) {
        let dest = self.describe(key);
        let withheld = match &failure {
            Failure::Withheld(reason) => Some(reason.clone()),
            Failure::Transient { .. } | Failure::Permanent(_) | Failure::Skipped(_) => None,
        };
        let text = match &failure {
            Failure::Transient { message, .. } => message.clone(),
            Failure::Permanent(text) | Failure::Withheld(text) | Failure::Skipped(text) => text.clone(),
        };
        if let Some(pause) = self.plan.failed(number, failure, jitter()) {
            let pause_text = records::go_duration(pause);
            tracing::debug!(dest = %dest, error = %text, "Retrying upload in {pause_text}");
            self.timers.pause(number, pause);
        } else if matches!(self.plan.object(number).state, State::Failed(_)) {
            tracing::error!(dest = %dest, error = %text, "Failed upload");
        } else if let Some(reason) = withheld {
            tracing::warn!(dest = %dest, error = %text, "Withheld, because it cannot be censored");
            self.note_withheld(key, class, &reason);
        } else {
            tracing::info!(dest = %dest, error = %text, "Skipped upload");
        }
    }

    /// Puts a line with the reason in the place of an object that is withheld,
    /// or beside a file that has that name.
    pub(super) fn note_withheld(&mut self, key: &str, class: Class, reason: &str) {
        let is_file = |key: &str| {
            let other = self.plan.find(key);
            other.is_some_and(|other| matches!(other.desired.source, Origin::Log(_) | Origin::Item(..)))
        };
        let numbered = (2..).map(|number| format!("{key}-{number}{WITHHELD_SUFFIX}"));
        let note_key = once(format!("{key}{WITHHELD_SUFFIX}")).chain(numbered).find(|key| !is_file(key));
        let note = document(note_key.unwrap_or_default(), class, format!("{reason}\n").into());
        if let Some(action) = self.plan.submit(note) {
            self.act(action);
        }
    }
}
