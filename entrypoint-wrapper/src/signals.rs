//! The signals that are forwarded, and the news that a child has changed.
//!
//! Each signal has a pipe to which its handler writes one byte per delivery, so
//! that none is merged with another here. The kernel merges those that are still
//! pending; nothing can be done about it. Of those that wait together the lower
//! number goes first, the order in which the kernel delivers them.

use common::signal::Signal;
use nix::sys::signal::SigSet;
use signal_hook::low_level::pipe;
use std::future::poll_fn;
use std::io::{self, PipeReader};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::unix::pipe::Receiver;

/// INT and TERM are what the program is for. The others that people send would
/// otherwise end it, leave the command alone and copied secrets behind.
const FORWARDED: [Signal; 6] =
    [Signal::HUP, Signal::INT, Signal::QUIT, Signal::USR1, Signal::USR2, Signal::TERM];

/// The events of the event loop.
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
    forwarded: Vec<(Signal, PipeReader)>,
    children: PipeReader,
}

impl Signals {
    /// Installs the handlers.
    ///
    /// Meanwhile the signals are blocked: one that came after the handler is
    /// installed and before it knows its pipe would be lost.
    pub(crate) fn catch() -> io::Result<Self> {
        let numbers = FORWARDED.into_iter().map(|signal| nix::sys::signal::Signal::try_from(signal.as_raw()));
        let blocked = numbers.collect::<nix::Result<SigSet>>()?;
        blocked.thread_block()?;
        let forwarded = FORWARDED.into_iter().map(|signal| Ok((signal, caught(signal)?)));
        let caught =
            Self { forwarded: forwarded.collect::<io::Result<_>>()?, children: caught(Signal::CHLD)? };
        // Also when whoever started us had them blocked.
        blocked.thread_unblock()?;
        Ok(caught)
    }

    /// Takes the pipes into the running tokio runtime.
    pub(crate) fn into_events(self) -> io::Result<Events> {
        let forwarded = self.forwarded.into_iter().map(|(signal, pipe)| Ok((signal, Deliveries::new(pipe)?)));
        Ok(Events {
            forwarded: forwarded.collect::<io::Result<_>>()?,
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
    forwarded: Vec<(Signal, Deliveries)>,
    children: Deliveries,
}

impl Events {
    /// Waits for the next event. Cancelling the future loses nothing.
    pub(crate) async fn next(&mut self) -> io::Result<Event> {
        poll_fn(|context| {
            if let Poll::Ready(signal) = self.poll_signal(context) {
                return Poll::Ready(signal.map(Event::Forward));
            }
            ready!(self.children.poll_fill(context))?;
            // A hint is enough: one look at the children covers all deliveries so far.
            self.children.waiting = 0;
            Poll::Ready(Ok(Event::ChildChanged))
        })
        .await
    }

    /// Waits for the next signal to forward; news of children stay where they are.
    pub(crate) async fn next_signal(&mut self) -> io::Result<Signal> {
        poll_fn(|context| self.poll_signal(context)).await
    }

    fn poll_signal(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Signal>> {
        for (signal, deliveries) in &mut self.forwarded {
            if let Poll::Ready(filled) = deliveries.poll_fill(context) {
                filled?;
                deliveries.waiting -= 1;
                return Poll::Ready(Ok(*signal));
            }
        }
        Poll::Pending
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

    /// Ready when at least one delivery is waiting.
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.waiting == 0 {
            let mut bytes = [0; 256];
            let mut buffer = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut self.pipe).poll_read(context, &mut buffer))?;
            self.waiting = buffer.filled().len();
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_delivery_is_one_event_and_lower_numbers_come_first() {
        let signals = Signals::catch().expect("caught");
        // `raise` returns after the handler, so the kernel merges none of these.
        for signal in [Signal::TERM, Signal::TERM, Signal::TERM, Signal::INT, Signal::HUP] {
            signal_hook::low_level::raise(signal.as_raw()).expect("raised");
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
        runtime.block_on(async {
            let mut events = signals.into_events().expect("in the runtime");
            assert_eq!(events.next_signal().await.expect("a signal"), Signal::HUP);
            assert_eq!(events.next().await.expect("an event"), Event::Forward(Signal::INT));
            for _ in 0..3 {
                assert_eq!(events.next().await.expect("an event"), Event::Forward(Signal::TERM));
            }
        });
    }
}
