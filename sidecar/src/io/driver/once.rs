//! One upload for a program that waits for nothing: the same listing, plan,
//! attempts and retries, without entries, result and deadline.

use super::listings::news;
use super::{Driver, close};
use crate::deliver::{Completeness, Event, Policy};
use crate::io::context::Place;
use crate::io::interrupts::Interrupts;
use crate::io::listing::News;
use crate::io::object::{Input, Wanted};
use crate::io::panics::caught;
use crate::layout::manifest::ListingGap;
use common::signal::Signal;
use thiserror::Error;

/// The reason why a destination does not hold everything.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Undelivered {
    /// The destination cannot be opened; nothing was tried (U-66).
    #[error("{0}")]
    Unusable(String),
    /// Some objects could not be stored; records name them.
    #[error("{failed} of {} could not be uploaded", objects(*.all))]
    Failed {
        /// Their number.
        failed: usize,
        /// The number of all objects.
        all: usize,
    },
    /// A signal came first.
    #[error("told to stop by {signal}; {} not uploaded", were(*.open))]
    Stopped {
        /// The signal.
        signal: Signal,
        /// The number of objects still to be stored.
        open: usize,
    },
    /// Not all files could be listed.
    #[error("{0}")]
    NotListed(ListingGap),
    /// The upload failed twice by a fault of our own.
    #[error("{0}")]
    Internal(String),
}

fn objects(number: usize) -> String {
    format!("{number} object{}", if number == 1 { "" } else { "s" })
}

fn were(number: usize) -> String {
    format!("{} {}", objects(number), if number == 1 { "was" } else { "were" })
}

impl Driver {
    /// Uploads the items with the pointers that belong to them, then each group
    /// of `closing` objects when nothing before it is open any more. A group
    /// follows even when an object before it failed (U-23). Begins anew after a panic,
    /// once.
    pub async fn send_once(
        mut self,
        closing: &[Vec<Wanted>],
        interrupts: &mut Interrupts,
    ) -> Result<(), Undelivered> {
        if let Place::Broken(reason) = &self.context.place {
            return Err(Undelivered::Unusable(reason.clone()));
        }
        let mut sent = caught(self.send_all(closing, interrupts)).await;
        if let Err(panic) = &sent {
            tracing::error!(error = %panic, "The upload begins anew after an internal error");
            self = self.anew();
            sent = caught(self.send_all(closing, interrupts)).await;
        }
        let summary = self.core.plan().summary();
        let completeness =
            if self.gap.is_some() { Completeness::Incomplete } else { self.core.completeness() };
        close(self.transfers, &self.context).await;
        match (sent, completeness) {
            (Err(panic), _) => Err(Undelivered::Internal(panic)),
            (Ok(Err(signal)), _) => Err(Undelivered::Stopped { signal, open: summary.open }),
            (Ok(Ok(())), Completeness::Complete) => Ok(()),
            (Ok(Ok(())), Completeness::Incomplete) => {
                let failed = summary.failed + summary.over_limit;
                match (failed, self.gap) {
                    (0, Some(gap)) => Err(Undelivered::NotListed(gap)),
                    _ => Err(Undelivered::Failed { failed, all: failed + summary.stored }),
                }
            }
        }
    }

    async fn send_all(&mut self, closing: &[Vec<Wanted>], interrupts: &mut Interrupts) -> Result<(), Signal> {
        self.share.keep_no_journal();
        self.list(Policy::Final);
        self.settle(interrupts).await?;
        for group in closing {
            for wanted in group {
                let effects = self.core.submit(wanted.clone(), &self.moment());
                self.carry_out(effects);
            }
            self.settle(interrupts).await?;
        }
        Ok(())
    }

    /// Takes files as they are listed.
    fn upload_listed(&mut self, news: News) {
        let (piece, is_last) = match news {
            News::Found(piece) => (Some(piece), false),
            News::Through(piece) => (Some(piece), true),
            News::Failed => (self.end_listing("an internal error ended it"), true),
        };
        let bulk = piece.map(|piece| self.take_piece(piece)).unwrap_or_default();
        let effects = self.core.upload(bulk, is_last, &self.moment());
        self.carry_out(effects);
        if is_last {
            self.listing = None;
        }
    }

    /// Runs until everything is listed and no object is open.
    async fn settle(&mut self, interrupts: &mut Interrupts) -> Result<(), Signal> {
        self.proceed();
        while self.listing.is_some() || !self.core.is_settled() {
            tokio::select! {
                signal = interrupts.next() => return Err(signal),
                timer = self.timers.next() => self.inputs.push_back(Input::Event(Event::Fired(timer))),
                ended = self.transfers.next_ended() => self.inputs.push_back(ended),
                (_, news) = news(&mut self.listing) => self.upload_listed(news),
                () = self.progress.tick(), if !self.transfers.is_empty() => self.show_progress(),
            }
            self.proceed();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_counted_in_words() {
        assert_eq!(
            Undelivered::Failed { failed: 1, all: 1 }.to_string(),
            "1 of 1 object could not be uploaded"
        );
        let stopped = Undelivered::Stopped { signal: Signal::TERM, open: 2 };
        assert_eq!(stopped.to_string(), "told to stop by SIGTERM; 2 objects were not uploaded");
    }
}
