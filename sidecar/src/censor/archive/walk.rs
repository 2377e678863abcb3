//! One walk through a container.

use super::bytes::{Cursor, ReadAt};
use super::embedded::MAX_SURVEY_BYTES;
use super::format::{Format, PEEK_BYTES, unknown};
use super::large_memory_lock::{LargeMemoryGuard, LargeMemoryLock};
use super::limits::Meter;
use super::pool::{Pool, Pooled};
use super::spool::Spool;
use super::survey::{SearchedOutput, ZipMembers};
pub(super) use super::text_masker::TextMasker;
use super::{Archives, Stop, WalkContext, ar, compressed, digests, gzip, pdf, survey, tar, zip};
use crate::censor::engine::Matcher;
use crate::censor::stream::StreamMask;
use flate2::Decompress;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::sync::Arc;

/// State shared by all walks through one file.
pub(super) struct Shared<'a> {
    matcher: &'a Arc<Matcher>,
    large_memory: &'a Arc<LargeMemoryLock>,
    pub(super) meter: Meter<'a>,
    pool: Pool,
    large_memory_guard: RefCell<Option<LargeMemoryGuard>>,
    memory: Cell<u64>,
    masked: Cell<u64>,
    withheld: Cell<u64>,
    unseen: RefCell<BTreeSet<&'static str>>,
    digests: RefCell<BTreeSet<&'static str>>,
}

impl<'a> Shared<'a> {
    pub(super) fn new(archives: &'a Archives, with: WalkContext<'a>) -> Self {
        Self {
            matcher: with.matcher,
            large_memory: &archives.large_memory,
            meter: Meter::new(archives.limits, with.is_stopped, with.budget),
            pool: Pool::default(),
            large_memory_guard: RefCell::default(),
            memory: Cell::new(0),
            masked: Cell::new(0),
            withheld: Cell::new(0),
            unseen: RefCell::default(),
            digests: RefCell::default(),
        }
    }

    pub(super) fn masked(&self) -> u64 {
        self.masked.get()
    }

    /// Notes that the file is truncated.
    pub(super) fn cut_off(&self) {
        self.unseen.borrow_mut().insert("an end that is missing");
    }

    /// Describes what was omitted or not looked into.
    pub(super) fn note(&self) -> Option<String> {
        let mut parts = Vec::new();
        match self.withheld.get() {
            0 => {}
            1 => parts.push("1 member was withheld".to_owned()),
            count => parts.push(format!("{count} members were withheld")),
        }
        let listed = |what: &RefCell<BTreeSet<&'static str>>| {
            let names: Vec<_> = what.borrow().iter().copied().collect();
            (!names.is_empty()).then(|| names.join(", "))
        };
        parts.extend(listed(&self.unseen).map(|names| format!("not looked into: {names}")));
        parts.extend(listed(&self.digests).map(|names| format!("{}{names}", digests::NOTE)));
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

/// One walk, at one depth.
#[derive(Clone, Copy)]
pub(super) struct Walk<'a> {
    shared: &'a Shared<'a>,
    meter: &'a Meter<'a>,
    is_looking: bool,
    /// Number of enclosing containers.
    depth: u32,
}

/// The fate of a container inside another one.
pub(super) enum Nested<'a> {
    /// Unchanged.
    Unchanged,
    /// Rewritten.
    Rewritten(Spool<'a>),
    /// Withheld, with the reason why it cannot be censored.
    Withheld(String),
}

impl<'a> Walk<'a> {
    /// Creates a walk that ends with [`Stop::Dirty`] at the first thing to change;
    /// its output is meaningless.
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

    /// Returns a decoder that is used again.
    pub(super) fn inflater(&self) -> Pooled<'a, Decompress> {
        self.shared.pool.inflater()
    }

    /// Returns a buffer that is used again.
    pub(super) fn chunk(&self) -> Pooled<'a, Vec<u8>> {
        self.shared.pool.chunk()
    }

    /// Censors a container.
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
        let mut searched = SearchedOutput::new(self, format, output);
        let output = &mut searched;
        match format {
            Format::Gzip => gzip::censor(inside, source, output),
            Format::Zip => zip::censor(inside, source, output),
            Format::Ar => ar::censor(inside, source, output),
            Format::Bzip2 | Format::Lzma | Format::Xz | Format::Zlib | Format::Zstd => {
                compressed::censor(inside, format, source, output)
            }
            Format::Pdf => pdf::censor(inside, source, output),
            Format::Tar => tar::censor(inside, &mut Cursor::new(source), output),
        }?;
        searched.finish()?;
        survey::refuse_tar_behind(inside, format, source)
    }

    /// Censors unpacked content of any kind. When it is a container that must be
    /// withheld, so must the enclosing one.
    pub(super) fn content(self, input: &mut dyn Read, output: &mut dyn Write) -> Result<(), Stop> {
        let mut beginning = [0; PEEK_BYTES];
        let peeked = peek(self, input, &mut beginning)?;
        let mut input = beginning[..peeked].chain(input);
        let Some(format) = Format::of(&beginning[..peeked]) else {
            self.note_unknown(&beginning[..peeked]);
            // An archive can begin behind other blocks.
            let is_short = peeked < PEEK_BYTES;
            return if is_short {
                ZipMembers::default().note(self, &beginning[..peeked]);
                self.mask(&mut input, output)
            } else {
                tar::censor(self, &mut input, output)
            };
        };
        // A compressed archive counts as one container, and is one stream.
        if format == Format::Tar {
            return tar::censor(self, &mut input, output);
        }
        let spool = Spool::fill(self, &mut input)?;
        match self.censor_nested(format, &spool)? {
            Nested::Unchanged => copy(&spool, output),
            Nested::Rewritten(spool) => copy(&spool, output),
            Nested::Withheld(reason) => Err(Stop::Member(reason)),
        }
    }

    /// Censors a container inside another one.
    pub(super) fn censor_nested(self, format: Format, source: &dyn ReadAt) -> Result<Nested<'a>, Stop> {
        match self.look_again(|walk| walk.container(format, source, &mut io::sink())) {
            Ok(()) => Ok(Nested::Unchanged),
            Err(Stop::Truncated) => {
                self.shared.cut_off();
                self.censor_as_plain(source)
            }
            Err(Stop::Damaged(_)) if format.is_guess() => {
                if survey::has_tar_in(self, source, 0..MAX_SURVEY_BYTES)? {
                    return self.censor_nested(Format::Tar, source);
                }
                self.censor_as_plain(source)
            }
            Err(Stop::Dirty) if self.is_looking => Err(Stop::Dirty),
            Err(Stop::Dirty) => {
                let mut spool = Spool::new(self);
                match self.container(format, source, &mut spool) {
                    Ok(()) => Ok(Nested::Rewritten(spool)),
                    Err(stop) => self.withhold(stop),
                }
            }
            Err(stop) => self.withhold(stop),
        }
    }

    /// Looks with a separate meter: everything is counted when it is written. A
    /// walk that already looks keeps its meter.
    pub(super) fn look_again(self, look: impl FnOnce(Walk<'_>) -> Result<(), Stop>) -> Result<(), Stop> {
        if self.is_looking {
            return look(self);
        }
        let meter = self.meter.clone();
        look(Walk { meter: &meter, is_looking: true, ..self })
    }

    /// Rewrites without affecting any count, to learn the result.
    pub(super) fn dry_run(self, rewrite: impl FnOnce(Walk<'_>) -> Result<(), Stop>) -> Result<(), Stop> {
        let counts = (self.shared.masked.get(), self.shared.withheld.get());
        let meter = self.meter.clone();
        let result = rewrite(Walk { meter: &meter, ..self });
        self.shared.masked.set(counts.0);
        self.shared.withheld.set(counts.1);
        result
    }

    /// Masks the bytes of a truncated container, or of none.
    fn censor_as_plain(self, source: &dyn ReadAt) -> Result<Nested<'a>, Stop> {
        let looked = self.look_again(|walk| walk.mask(&mut Cursor::new(source), &mut io::sink()));
        match looked {
            Ok(()) => Ok(Nested::Unchanged),
            Err(Stop::Dirty) if !self.is_looking => {
                let mut spool = Spool::new(self);
                self.mask(&mut Cursor::new(source), &mut spool)?;
                Ok(Nested::Rewritten(spool))
            }
            Err(stop) => Err(stop),
        }
    }

    fn withhold(self, stop: Stop) -> Result<Nested<'a>, Stop> {
        let reason = match stop {
            Stop::File(_) | Stop::GivenUp | Stop::Io(_) => return Err(stop),
            Stop::Dirty | Stop::Truncated => format!("{stop} and cannot be packed anew"),
            Stop::Damaged(_) | Stop::Member(_) => stop.to_string(),
        };
        if self.is_looking { Err(Stop::Dirty) } else { Ok(Nested::Withheld(reason)) }
    }

    /// Masks a stream to its end, or to a read error.
    pub(super) fn mask(self, input: &mut dyn Read, output: &mut dyn Write) -> Result<(), Stop> {
        let mut run = TextMasker::new(self);
        let read = run.read(input, self, output);
        run.finish(self, output)?;
        read
    }

    /// Masks a whole text, and returns whether it changed.
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

    /// Counts an omitted member, which is a change.
    pub(super) fn count_withheld(self) -> Result<(), Stop> {
        if self.is_looking {
            return Err(Stop::Dirty);
        }
        self.shared.withheld.set(self.shared.withheld.get() + 1);
        Ok(())
    }

    pub(super) fn fresh(self) -> StreamMask {
        StreamMask::new(Arc::clone(self.shared.matcher))
    }

    /// Notes content of an unknown format, which is masked as it is; returns whether its name
    /// is known.
    pub(super) fn note_unknown(self, beginning: &[u8]) -> bool {
        let name = unknown(beginning);
        self.shared.unseen.borrow_mut().extend(name);
        name.is_some()
    }

    /// Notes digests or indexes that no longer fit, in a file that is rewritten.
    pub(super) fn note_digests(self, of: Option<&'static str>) {
        if !self.is_looking {
            self.shared.digests.borrow_mut().extend(of);
        }
    }

    pub(super) fn note(self, what: &'static str) {
        self.shared.unseen.borrow_mut().insert(what);
    }

    /// Accounts for more bytes held in memory.
    pub(super) fn hold_memory(self, bytes: u64) -> Result<(), Stop> {
        let most = self.meter.limits().memory;
        let memory = self.shared.memory.get().saturating_add(bytes);
        if memory > most {
            return Err(Stop::Member(format!("looking into it takes more than {most} bytes of memory")));
        }
        self.shared.memory.set(memory);
        self.shared.large_memory_guard.borrow_mut().get_or_insert_with(|| self.shared.large_memory.acquire());
        Ok(())
    }

    /// Returns how much memory a decoder may take.
    pub(super) fn memory_left(self) -> u64 {
        self.shared.large_memory_guard.borrow_mut().get_or_insert_with(|| self.shared.large_memory.acquire());
        self.meter.limits().memory.saturating_sub(self.shared.memory.get())
    }

    /// Accounts for bytes no longer held.
    pub(super) fn release_memory(self, bytes: u64) {
        self.shared.memory.set(self.shared.memory.get().saturating_sub(bytes));
    }
}

/// Reads the beginning, and scans it before it reports an error.
fn peek(walk: Walk<'_>, input: &mut dyn Read, beginning: &mut [u8]) -> Result<usize, Stop> {
    let mut filled = 0;
    while filled < beginning.len() {
        match input.read(&mut beginning[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) => {
                walk.mask_text(&mut beginning[..filled])?;
                return Err(error.into());
            }
        }
    }
    Ok(filled)
}

/// Copies a whole source.
pub(super) fn copy(source: &dyn ReadAt, output: &mut dyn Write) -> Result<(), Stop> {
    io::copy(&mut Cursor::new(source), output)?;
    Ok(())
}
