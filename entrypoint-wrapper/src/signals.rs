//! The signals that are forwarded, and the news that a child has changed.
//!
//! Each signal has a pipe to which its handler writes one byte per delivery, so
//! that none is merged with another here. The kernel merges those that are still
//! pending; nothing can be done about it. Of INT and TERM that wait together INT
//! goes first, the order in which the kernel delivers them.

use common::signal::Signal;
use signal_hook::low_level::pipe;
use std::io::{self, PipeReader};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

/// What the event loop hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A signal to forward.
    Forward(Signal),
    /// SIGCHLD: a child, or an orphan of whom we are the reaper, may have ended.
    ChildChanged,
}

/// Handlers are in place; deliveries wait in the pipes.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupts: PipeReader,
    terminations: PipeReader,
    children: PipeReader,
}

impl Signals {
    /// Installs the handlers for INT, TERM and CHLD.
    pub(crate) fn catch() -> io::Result<Self> {
        Ok(Self {
            interrupts: caught(Signal::INT)?,
            terminations: caught(Signal::TERM)?,
            children: caught(Signal::CHLD)?,
        })
    }

    /// Takes the pipes into the running tokio runtime.
    pub(crate) fn into_events(self) -> io::Result<Events> {
        Ok(Events {
            interrupts: Deliveries::new(self.interrupts)?,
            terminations: Deliveries::new(self.terminations)?,
            children: Deliveries::new(self.children)?,
        })
    }
}

fn caught(signal: Signal) -> io::Result<PipeReader> {
    let (reader, writer) = io::pipe()?;
    pipe::register(signal.as_raw(), writer)?;
    Ok(reader)
}

/// The deliveries, one event each.
#[derive(Debug)]
pub(crate) struct Events {
    interrupts: Deliveries,
    terminations: Deliveries,
    children: Deliveries,
}

impl Events {
    /// Waits for the next event. Cancelling the future loses nothing.
    pub(crate) async fn next(&mut self) -> io::Result<Event> {
        tokio::select! {
            biased;
            taken = self.interrupts.take_one() => taken.map(|()| Event::Forward(Signal::INT)),
            taken = self.terminations.take_one() => taken.map(|()| Event::Forward(Signal::TERM)),
            taken = self.children.take_all() => taken.map(|()| Event::ChildChanged),
        }
    }
}

/// One signal's pipe in the runtime, with the deliveries read but not yet taken.
#[derive(Debug)]
struct Deliveries {
    pipe: Receiver,
    waiting: usize,
}

impl Deliveries {
    fn new(reader: PipeReader) -> io::Result<Self> {
        Ok(Self { pipe: Receiver::from_owned_fd(reader.into())?, waiting: 0 })
    }

    async fn take_one(&mut self) -> io::Result<()> {
        self.fill().await?;
        self.waiting -= 1;
        Ok(())
    }

    /// A hint is enough: one look at the children covers all deliveries so far.
    async fn take_all(&mut self) -> io::Result<()> {
        self.fill().await?;
        self.waiting = 0;
        Ok(())
    }

    async fn fill(&mut self) -> io::Result<()> {
        let mut buffer = [0; 256];
        while self.waiting == 0 {
            self.waiting = self.pipe.read(&mut buffer).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime")
    }

    #[test]
    fn every_delivery_is_one_event_and_int_comes_before_term() {
        let signals = Signals::catch().expect("caught");
        // `raise` returns after the handler, so the kernel merges none of these.
        for _ in 0..3 {
            signal_hook::low_level::raise(Signal::TERM.as_raw()).expect("raised");
        }
        signal_hook::low_level::raise(Signal::INT.as_raw()).expect("raised");
        runtime().block_on(async {
            let mut events = signals.into_events().expect("in the runtime");
            assert_eq!(events.next().await.expect("an event"), Event::Forward(Signal::INT));
            for _ in 0..3 {
                assert_eq!(events.next().await.expect("an event"), Event::Forward(Signal::TERM));
            }
        });
    }
}
