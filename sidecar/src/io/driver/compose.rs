//! The documents that the core asks for.

use super::Driver;
use crate::deliver::{Class, Desired, Document, Verdict};
use crate::io::documents;
use crate::io::listing::document;
use crate::io::object::{Fingerprint, Input, Origin, Wanted};
use crate::layout::paths::{FINISHED, MANIFEST, OWN_LOG, WITHHELD_SUFFIX};
use bytes::Bytes;
use common::timestamp::Timestamp;
use std::iter::once;
use std::sync::Arc;
use tokio::task::JoinHandle;

impl Driver {
    pub(super) fn compose(&mut self, wanted: Document) {
        let made = match &wanted {
            Document::OwnLog => self.own_log_object(),
            Document::Manifest => self.manifest(),
            Document::Result(verdict) => return self.compose_result(*verdict),
            Document::WithheldNote { number, reason } => self.withheld_note(*number, reason),
        };
        self.submit(wanted, made);
    }

    fn own_log_object(&self) -> Wanted {
        let mut log = document(OWN_LOG, Class::OwnLog, self.own_log.content());
        log.fingerprint = log.fingerprint.under(self.context.generation());
        log
    }

    fn manifest(&mut self) -> Wanted {
        if let Some(pass) = self.times.passes.last_mut() {
            pass.finished = Some(Timestamp::now());
        }
        let entries: Vec<_> = self.entries.iter().collect();
        let censor = self.context.censor.as_deref();
        let times = (self.times.passes.as_slice(), self.times.deadline);
        let (plan, machine) = (self.core.plan(), self.core.machine());
        let content =
            documents::manifest(&self.settings, plan, &entries, machine, &self.tests, times, censor);
        Desired {
            key: MANIFEST.into(),
            class: Class::Manifest,
            bytes: content.bytes(),
            fingerprint: Fingerprint::of_compressed(&content),
            source: Origin::Compressed(Arc::new(content)),
        }
    }

    /// Reads metadata files in a thread of its own: they may hang.
    fn compose_result(&mut self, verdict: Verdict) {
        let (settings, tests) = (Arc::clone(&self.settings), self.tests.clone());
        let told: Vec<_> = self.told().into_iter().map(|(_, told)| told).collect();
        let censor = self.context.censor.clone();
        let compose = move || {
            let mask =
                |text: &str| censor.as_ref().map_or_else(|| text.to_owned(), |censor| censor.text(text));
            documents::finished(&settings, told, &tests, verdict, &mask)
        };
        self.composing = Some((verdict, tokio::task::spawn_blocking(compose)));
    }

    /// A line with the reason in the place of an object that is withheld, or
    /// beside a file that has that name.
    fn withheld_note(&self, number: u32, reason: &str) -> Wanted {
        let plan = self.core.plan();
        let withheld = &plan.object(number).desired;
        let is_file = |key: &str| {
            let other = plan.find(key);
            other.is_some_and(|other| matches!(other.desired.source, Origin::Log(_) | Origin::Item { .. }))
        };
        let key = &withheld.key;
        let numbered = (2..).map(|number| format!("{key}-{number}{WITHHELD_SUFFIX}"));
        let note_key = once(format!("{key}{WITHHELD_SUFFIX}")).chain(numbered).find(|key| !is_file(key));
        document(note_key.unwrap_or_default(), withheld.class, format!("{reason}\n").into())
    }
}

/// The result being made, once it is; pending for ever without one.
pub(super) async fn composed(composing: &mut Option<(Verdict, JoinHandle<Bytes>)>) -> Input {
    let Some((verdict, handle)) = composing else { return std::future::pending().await };
    let (verdict, done) = (*verdict, handle.await);
    *composing = None;
    let content = done.unwrap_or_else(|error| {
        tracing::error!(error = %error, "The result could not be put together");
        Bytes::new()
    });
    Input::Composed(Document::Result(verdict), document(FINISHED, Class::Result, content))
}
