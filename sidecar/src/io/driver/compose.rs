//! The documents that the core asks for.

use super::{Driver, records};
use crate::deliver::{Class, Desired, Document, Verdict};
use crate::io::closing::{Bounds, Delivered};
use crate::io::documents;
use crate::io::fault_injection;
use crate::io::listing::document;
use crate::io::markers::WatchedEntry;
use crate::io::object::{Fingerprint, Input, Origin, Wanted};
use crate::junit::Reports;
use crate::layout::manifest::PassTimes;
use crate::layout::metadata;
use crate::layout::paths::{FINISHED, MANIFEST, OWN_LOG, PAGE, WITHHELD_SUFFIX};
use bytes::Bytes;
use common::timestamp::Timestamp;
use std::iter::once;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

/// Time to read and mask the metadata of the entries, at most 1 MiB each.
const COMPOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Time to write objects down: enough for a million of them.
pub(super) const LIST_TIMEOUT: Duration = Duration::from_mins(1);

impl Driver {
    pub(super) fn compose(&mut self, wanted: Document) {
        let made = match &wanted {
            Document::OwnLog => self.own_log_object(),
            Document::Manifest => self.manifest(),
            Document::Page => return self.compose_page(),
            Document::Result(verdict) => return self.compose_result(*verdict),
            Document::WithheldNote { number, class, reason } => self.withheld_note(*number, *class, reason),
        };
        self.submit(wanted, made);
    }

    fn own_log_object(&self) -> Wanted {
        let mut log = document(OWN_LOG, Class::OwnLog, self.own_log.content());
        log.fingerprint = log.fingerprint.under(self.context.generation());
        log
    }

    fn manifest(&mut self) -> Wanted {
        records::unwritten(&mut self.repeated);
        if let Some(pass) = self.times.passes.last_mut() {
            pass.finished = Some(Timestamp::now());
        }
        let retired = self.journal.as_mut().and_then(|journal| journal.document());
        self.spares.unlisted = None;
        let entries: Vec<_> = self.entries.iter().collect();
        let bounds = Bounds::new(self.within(LIST_TIMEOUT), None);
        let delivered = self.delivered(&entries, &self.times.passes, bounds);
        let content = delivered.manifest(retired);
        let unlisted = delivered.bounds.left_out();
        if let Some((objects, reason)) = unlisted {
            tracing::error!("{objects} objects are not listed in the manifest: {reason}");
        }
        self.spares.unlisted = unlisted;
        self.keep_spare_manifest(content.bytes());
        Desired {
            key: MANIFEST.into(),
            class: Class::Manifest,
            bytes: content.bytes(),
            fingerprint: Fingerprint::of_compressed(&content),
            source: Origin::Compressed(Arc::new(content)),
        }
    }

    pub(super) fn delivered<'a>(
        &'a self,
        entries: &'a [&'a WatchedEntry],
        passes: &'a [PassTimes],
        bounds: Bounds,
    ) -> Delivered<'a> {
        Delivered {
            settings: &self.settings,
            plan: self.core.plan(),
            entries,
            machine: self.core.machine(),
            reports: &self.tests,
            logs: &self.logs,
            passes,
            deadline: self.times.deadline,
            listing: self.gap(),
            bounds,
            censor: self.context.censor.as_deref(),
        }
    }

    /// Makes the page in a thread of its own, with the result as it will be.
    fn compose_page(&mut self) {
        let mut passes = self.times.passes.clone();
        if let Some(pass) = passes.last_mut() {
            pass.finished = Some(Timestamp::now());
        }
        let verdict = self.core.machine().ends().map_or(Verdict::PROVISIONAL, Verdict::of);
        let entries: Vec<_> = self.entries.iter().collect();
        let objects = self.journal.as_ref().map(|journal| journal.page()).unwrap_or_default();
        let destination = self.describe("").trim_end_matches('/').to_owned();
        let bounds = Bounds::new(self.within(LIST_TIMEOUT), None);
        let page = self.delivered(&entries, &passes, bounds).page(destination, objects);
        let finished = self.finished(verdict);
        let made = tokio::task::spawn_blocking(move || page.html(&finished()));
        self.paging = Some(Composing { verdict, until: self.until(), made });
    }

    /// Takes a page that was made.
    pub(super) fn page_made(&mut self, made: Result<Bytes, &'static str>) {
        match made {
            Ok(content) => self.submit(Document::Page, document(PAGE, Class::Page, content)),
            Err(why) => {
                tracing::warn!(error = %why, "There is no report page");
                self.inputs.push_back(Input::NotComposed);
            }
        }
    }

    /// Reads metadata files in a thread of its own: they may hang, and what they hold
    /// may be masked slowly.
    fn compose_result(&mut self, verdict: Verdict) {
        let made = tokio::task::spawn_blocking(self.finished(verdict));
        self.composing = Some(Composing { verdict, until: self.until(), made });
    }

    /// Builds the result, wherever it is called.
    fn finished(&self, verdict: Verdict) -> impl FnOnce() -> Bytes + Send + use<> {
        let (settings, tests) = (Arc::clone(&self.settings), self.tests.clone());
        let told: Vec<_> = self.told().into_iter().map(|(_, told)| told).collect();
        let (censor, problems) = (self.context.censor.clone(), self.problems());
        move || {
            fault_injection::point(format_args!("compose"));
            let mask =
                |text: &str| censor.as_ref().map_or_else(|| text.to_owned(), |censor| censor.text(text));
            let mut metadata = documents::metadata(&settings, &mask);
            metadata::add_problems(&mut metadata, &problems);
            documents::finished(&settings, metadata, told, &tests, verdict, &mask)
        }
    }

    /// The point in time from which a document is not waited for.
    fn until(&self) -> Instant {
        self.within(COMPOSE_TIMEOUT)
    }

    /// The end of some time, and of half of what is left.
    pub(super) fn within(&self, time: Duration) -> Instant {
        let now = Instant::now();
        let left = self.times.deadline_at.map(|deadline| deadline.saturating_duration_since(now) / 2);
        now + left.map_or(time, |left| left.min(time))
    }

    /// Takes a result that was made, or one without the job's metadata.
    pub(super) fn result_made(&mut self, verdict: Verdict, made: Result<Bytes, &'static str>) {
        let content = made.unwrap_or_else(|why| {
            tracing::error!(error = %why, "The result goes out without the job's metadata");
            self.plain_result(verdict, why, &self.tests)
        });
        self.keep_spare_result(verdict);
        self.submit(Document::Result(verdict), document(FINISHED, Class::Result, content));
    }

    /// The gaps of the delivery, for the result.
    pub(super) fn problems(&self) -> Vec<(&'static str, String)> {
        let limits = documents::over_limit(self.core.plan()).map(|gap| ("limits", gap.to_string()));
        let listing = self.gap().map(|gap| ("listing", gap.to_string()));
        [limits, listing].into_iter().flatten().collect()
    }

    /// Makes a result from what is in memory alone.
    pub(super) fn plain_result(&self, verdict: Verdict, why: &str, tests: &Reports) -> Bytes {
        let told: Vec<_> = self.told().into_iter().map(|(_, told)| told).collect();
        let mask = |text: &str| self.context.masked(text);
        let mut metadata = metadata::left_out(why);
        metadata::add_problems(&mut metadata, &self.problems());
        documents::finished(&self.settings, metadata, told, tests, verdict, &mask)
    }

    /// A line with the reason in the place of an object that is withheld, or
    /// beside a file that has that name.
    fn withheld_note(&self, number: u32, class: Class, reason: &str) -> Wanted {
        let plan = self.core.plan();
        let is_file = |key: &str| {
            if self.journal.as_ref().is_some_and(|journal| journal.has_file(key)) {
                return true;
            }
            let other = plan.find(key);
            other.is_some_and(|other| matches!(other.desired.source, Origin::Log(_) | Origin::Item { .. }))
        };
        let key = plan.object(number).desired.key.to_string();
        let numbered = (2..).map(|number| format!("{key}-{number}{WITHHELD_SUFFIX}"));
        let note_key = once(format!("{key}{WITHHELD_SUFFIX}")).chain(numbered).find(|key| !is_file(key));
        document(note_key.unwrap_or_default(), class, format!("{reason}\n").into())
    }
}

/// A result or a page that is being made.
#[derive(Debug)]
pub(super) struct Composing {
    verdict: Verdict,
    /// The point in time from which it is not waited for.
    until: Instant,
    made: JoinHandle<Bytes>,
}

/// The document being made, once it is, or why there is none; pending for ever without
/// one.
pub(super) async fn made(composing: &mut Option<Composing>) -> (Verdict, Result<Bytes, &'static str>) {
    let Some(Composing { verdict, until, made }) = composing else { return std::future::pending().await };
    let (verdict, made) = (*verdict, timeout_at(*until, made).await);
    *composing = None;
    let content = match made {
        Ok(Ok(content)) => Ok(content),
        Ok(Err(_)) => Err("it was left out because of an internal error"),
        Err(_) => Err("it was left out because it could not be read in time"),
    };
    (verdict, content)
}
