//! One walk through a container.

use super::bytes::{Cursor, ReadAt};
use super::format::{Format, PEEK_BYTES, unknown};
use super::gate::{Gate, Turn};
use super::limits::Meter;
use super::spool::Spool;
use super::{Archives, CHUNK_BYTES, Mask, Stop, With, gzip, scanned, tar, zip};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::sync::Arc;

/// What all walks through one file have in common.
pub(super) struct Shared<'a> {
    fresh: &'a dyn Fn() -> Box<dyn Mask>,
    gate: &'a Arc<Gate>,
    meter: Meter<'a>,
    turn: RefCell<Option<Turn>>,
    memory: Cell<u64>,
    masked: Cell<u64>,
    withheld: Cell<u64>,
    unseen: RefCell<BTreeSet<&'static str>>,
}

impl<'a> Shared<'a> {
    pub(super) fn new(archives: &'a Archives, with: With<'a>) -> Self {
        Self {
            fresh: with.fresh,
            gate: &archives.gate,
            meter: Meter::new(archives.limits, with.is_stopped),
            turn: RefCell::default(),
            memory: Cell::new(0),
            masked: Cell::new(0),
            withheld: Cell::new(0),
            unseen: RefCell::default(),
        }
    }

    pub(super) fn masked(&self) -> u64 {
        self.masked.get()
    }

    /// It ends before its end.
    pub(super) fn cut_off(&self) {
        self.unseen.borrow_mut().insert("an end that is missing");
    }

    /// What was left out or not looked into.
    pub(super) fn note(&self) -> Option<String> {
        let mut parts = Vec::new();
        match self.withheld.get() {
            0 => {}
            1 => parts.push("1 member was withheld".to_owned()),
            count => parts.push(format!("{count} members were withheld")),
        }
        let unseen: Vec<_> = self.unseen.borrow().iter().copied().collect();
        if !unseen.is_empty() {
            parts.push(format!("not looked into: {}", unseen.join(", ")));
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

/// One walk, at one depth.
#[derive(Clone, Copy)]
pub(super) struct Pass<'a> {
    shared: &'a Shared<'a>,
    meter: &'a Meter<'a>,
    is_looking: bool,
    /// Containers around.
    depth: u32,
}

/// What became of a container that lies in another.
pub(super) enum Settled<'a> {
    /// It stays as it is.
    Unchanged,
    /// It was written anew.
    Rewritten(Spool<'a>),
    /// It cannot be censored; why.
    Withheld(String),
}

impl<'a> Pass<'a> {
    /// Ends with [`Stop::Dirty`] at the first thing to change; writes nothing of use.
    pub(super) fn looking(shared: &'a Shared<'a>) -> Self {
        Self { shared, meter: &shared.meter, is_looking: true, depth: 0 }
    }

    pub(super) fn rewriting(shared: &'a Shared<'a>) -> Self {
        Self { is_looking: false, ..Self::looking(shared) }
    }

    pub(super) fn is_looking(&self) -> bool {
        self.is_looking
    }

    pub(super) fn meter(&self) -> &'a Meter<'a> {
        self.meter
    }

    /// Walks through a container.
    pub(super) fn container(
        self,
        format: Format,
        source: &dyn ReadAt,
        output: &mut dyn Write,
    ) -> Result<(), Stop> {
        let most = self.meter.limits().depth;
        if self.depth >= most {
            return Err(Stop::Member(format!(
                "it lies in {most} containers, and deeper ones are not looked into"
            )));
        }
        let inside = Self { depth: self.depth + 1, ..self };
        match format {
            Format::Gzip => gzip::walk(inside, source, output),
            Format::Zip => zip::walk(inside, source, output),
            Format::Bzip2 | Format::Xz | Format::Zstd => scanned::walk(inside, format, source, output),
            Format::Tar => tar::walk(inside, &mut Cursor::new(source), output),
        }
    }

    /// Walks through what was unpacked, whatever it is. When it is a container
    /// that must be withheld, so must the one around it.
    pub(super) fn content(self, input: &mut dyn Read, output: &mut dyn Write) -> Result<(), Stop> {
        let mut beginning = [0; PEEK_BYTES];
        let peeked = peek(self, input, &mut beginning)?;
        let mut input = beginning[..peeked].chain(input);
        let Some(format) = Format::of(&beginning[..peeked]) else {
            self.note_unknown(&beginning[..peeked]);
            return self.mask(&mut input, output);
        };
        // A compressed archive counts as one container, and is one stream.
        if format == Format::Tar {
            return tar::walk(self, &mut input, output);
        }
        let spool = Spool::fill(self, &mut input)?;
        match self.settle(format, &spool)? {
            Settled::Unchanged => copy(&spool, output),
            Settled::Rewritten(spool) => copy(&spool, output),
            Settled::Withheld(reason) => Err(Stop::Member(reason)),
        }
    }

    /// Decides what becomes of a container that lies in another.
    pub(super) fn settle(self, format: Format, source: &dyn ReadAt) -> Result<Settled<'a>, Stop> {
        match self.look_again(|pass| pass.container(format, source, &mut io::sink())) {
            Ok(()) => Ok(Settled::Unchanged),
            Err(Stop::Truncated) => self.settle_as_plain(source),
            Err(Stop::Dirty) if self.is_looking => Err(Stop::Dirty),
            Err(Stop::Dirty) => {
                let mut spool = Spool::new(self);
                match self.container(format, source, &mut spool) {
                    Ok(()) => Ok(Settled::Rewritten(spool)),
                    Err(stop) => self.withhold(stop),
                }
            }
            Err(stop) => self.withhold(stop),
        }
    }

    /// Looks with a meter of its own: what is met is counted when it is written.
    /// A walk that looks anyway goes on with its own.
    pub(super) fn look_again(self, look: impl FnOnce(Pass<'_>) -> Result<(), Stop>) -> Result<(), Stop> {
        if self.is_looking {
            return look(self);
        }
        let meter = self.meter.clone();
        look(Pass { meter: &meter, is_looking: true, ..self })
    }

    /// Rewrites without any trace in the counts, to learn what will come of it.
    pub(super) fn rehearse(self, rewrite: impl FnOnce(Pass<'_>) -> Result<(), Stop>) -> Result<(), Stop> {
        let counts = (self.shared.masked.get(), self.shared.withheld.get());
        let meter = self.meter.clone();
        let result = rewrite(Pass { meter: &meter, ..self });
        self.shared.masked.set(counts.0);
        self.shared.withheld.set(counts.1);
        result
    }

    /// A container that is cut off is masked as it is.
    fn settle_as_plain(self, source: &dyn ReadAt) -> Result<Settled<'a>, Stop> {
        self.shared.cut_off();
        let looked = self.look_again(|pass| pass.mask(&mut Cursor::new(source), &mut io::sink()));
        match looked {
            Ok(()) => Ok(Settled::Unchanged),
            Err(Stop::Dirty) if !self.is_looking => {
                let mut spool = Spool::new(self);
                self.mask(&mut Cursor::new(source), &mut spool)?;
                Ok(Settled::Rewritten(spool))
            }
            Err(stop) => Err(stop),
        }
    }

    fn withhold(self, stop: Stop) -> Result<Settled<'a>, Stop> {
        let reason = match stop {
            Stop::File(_) | Stop::Io(_) => return Err(stop),
            Stop::Dirty | Stop::Truncated => format!("{stop}, and cannot be packed anew"),
            Stop::Damaged(_) | Stop::Member(_) => stop.to_string(),
        };
        if self.is_looking { Err(Stop::Dirty) } else { Ok(Settled::Withheld(reason)) }
    }

    /// Masks a stream to its end, or to where it fails.
    pub(super) fn mask(self, input: &mut dyn Read, output: &mut dyn Write) -> Result<(), Stop> {
        let mut run = Run::new(self);
        let read = run.read(input, self, output);
        run.finish(self, output)?;
        read
    }

    /// Masks a whole text; whether anything was changed.
    pub(super) fn mask_text(self, text: &mut [u8]) -> Result<bool, Stop> {
        if text.is_empty() {
            return Ok(false);
        }
        let mut mask = self.fresh();
        mask.mask(text, true);
        match mask.masked() {
            0 => Ok(false),
            _ if self.is_looking => Err(Stop::Dirty),
            masked => {
                self.count(masked);
                Ok(true)
            }
        }
    }

    pub(super) fn count(self, masked: u64) {
        self.shared.masked.set(self.shared.masked.get() + masked);
    }

    /// A member is left out, which is a change.
    pub(super) fn count_withheld(self) -> Result<(), Stop> {
        if self.is_looking {
            return Err(Stop::Dirty);
        }
        self.shared.withheld.set(self.shared.withheld.get() + 1);
        Ok(())
    }

    pub(super) fn fresh(self) -> Box<dyn Mask> {
        (self.shared.fresh)()
    }

    /// Something of an unknown format is masked as it is.
    pub(super) fn note_unknown(self, beginning: &[u8]) {
        if let Some(name) = unknown(beginning) {
            self.note(name);
        }
    }

    pub(super) fn note(self, what: &'static str) {
        self.shared.unseen.borrow_mut().insert(what);
    }

    /// So many bytes more are kept in memory.
    pub(super) fn hold_memory(self, bytes: u64) -> Result<(), Stop> {
        let most = self.meter.limits().memory;
        let memory = self.shared.memory.get().saturating_add(bytes);
        if memory > most {
            return Err(Stop::Member(format!("looking into it takes more than {most} bytes of memory")));
        }
        self.shared.memory.set(memory);
        self.shared.turn.borrow_mut().get_or_insert_with(|| self.shared.gate.wait());
        Ok(())
    }

    /// How much memory a decoder may take.
    pub(super) fn memory_left(self) -> u64 {
        self.shared.turn.borrow_mut().get_or_insert_with(|| self.shared.gate.wait());
        self.meter.limits().memory.saturating_sub(self.shared.memory.get())
    }

    /// So many bytes are not kept any more.
    pub(super) fn release_memory(self, bytes: u64) {
        self.shared.memory.set(self.shared.memory.get().saturating_sub(bytes));
    }
}

/// A text that comes in pieces.
pub(super) struct Run {
    mask: Box<dyn Mask>,
    window: Vec<u8>,
}

impl Run {
    pub(super) fn new(pass: Pass<'_>) -> Self {
        Self { mask: pass.fresh(), window: Vec::new() }
    }

    pub(super) fn push(&mut self, bytes: &[u8], pass: Pass<'_>, output: &mut dyn Write) -> Result<(), Stop> {
        pass.meter().time()?;
        self.window.extend_from_slice(bytes);
        self.release(pass, output)
    }

    /// Takes all that comes, up to the end of the input or to where it fails.
    pub(super) fn read(
        &mut self,
        input: &mut dyn Read,
        pass: Pass<'_>,
        output: &mut dyn Write,
    ) -> Result<(), Stop> {
        loop {
            let before = self.window.len();
            self.window.resize(before + CHUNK_BYTES, 0);
            let read = input.read(&mut self.window[before..]);
            self.window.truncate(before + *read.as_ref().unwrap_or(&0));
            if read? == 0 {
                return Ok(());
            }
            pass.meter().time()?;
            self.release(pass, output)?;
        }
    }

    pub(super) fn finish(self, pass: Pass<'_>, output: &mut dyn Write) -> Result<(), Stop> {
        self.finish_with(&mut [], pass, output).map(|_| ())
    }

    /// Ends, and begins another text.
    pub(super) fn next(self, pass: Pass<'_>, output: &mut dyn Write) -> Result<Self, Stop> {
        self.finish(pass, output)?;
        Ok(Self::new(pass))
    }

    /// Ends with a text that is written elsewhere: it is masked as what comes
    /// last. Whether it was changed.
    pub(super) fn finish_with(
        mut self,
        last: &mut [u8],
        pass: Pass<'_>,
        output: &mut dyn Write,
    ) -> Result<bool, Stop> {
        self.window.extend_from_slice(last);
        self.mask(true, pass)?;
        pass.count(self.mask.masked());
        let (rest, masked) = self.window.split_at(self.window.len() - last.len());
        output.write_all(rest)?;
        let is_changed = masked != last;
        last.copy_from_slice(masked);
        Ok(is_changed)
    }

    fn release(&mut self, pass: Pass<'_>, output: &mut dyn Write) -> Result<(), Stop> {
        let released = self.mask(false, pass)?;
        output.write_all(&self.window[..released])?;
        self.window.drain(..released);
        Ok(())
    }

    fn mask(&mut self, end: bool, pass: Pass<'_>) -> Result<usize, Stop> {
        let released = self.mask.mask(&mut self.window, end);
        if pass.is_looking() && self.mask.masked() > 0 { Err(Stop::Dirty) } else { Ok(released) }
    }
}

/// Reads the beginning. What fails after a few bytes fails when the rest is looked at.
fn peek(pass: Pass<'_>, input: &mut dyn Read, beginning: &mut [u8]) -> Result<usize, Stop> {
    let mut filled = 0;
    while filled < beginning.len() {
        match input.read(&mut beginning[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) => {
                pass.mask_text(&mut beginning[..filled])?;
                return Err(error.into());
            }
        }
    }
    Ok(filled)
}

/// Copies what was kept aside.
pub(super) fn copy(source: &dyn ReadAt, output: &mut dyn Write) -> Result<(), Stop> {
    io::copy(&mut Cursor::new(source), output)?;
    Ok(())
}
