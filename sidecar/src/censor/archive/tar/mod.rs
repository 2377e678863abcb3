//! tar archives: v7, ustar, pax, and GNU with its long names.
//!
//! Masking keeps sizes, so that plain members pass as a stream. A member that
//! is a container itself can get another size, and is kept aside until that is
//! known. Blocks that are no header are masked like any text; the next header
//! is looked for behind them, as tar does.

mod extension;
mod header;

use super::Stop;
use super::bytes::{ReadAt, read_full};
use super::format::{Format, PEEK_BYTES};
use super::pass::{Pass, Run, Settled, copy};
use super::spool::Spool;
use extension::Extensions;
use header::{BLOCK_BYTES, Header, Kind};
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};

/// Extension headers hold names and times. Larger ones are not those of a sane
/// writer, and are kept in memory.
const MOST_EXTENSION_BYTES: u64 = 1024 * 1024;

const PLACEHOLDER_SUFFIX: &[u8] = b".withheld.txt";

/// Whether an archive begins so.
pub(super) fn is_tar(beginning: &[u8]) -> bool {
    beginning.first_chunk().and_then(Header::of).is_some_and(|header| header.is_plausible())
}

/// Walks through an archive.
pub(super) fn walk(pass: Pass<'_>, input: &mut dyn Read, output: &mut dyn Write) -> Result<(), Stop> {
    let mut archive = Archive {
        pass,
        input,
        output,
        open: None,
        extensions: Extensions::default(),
        withheld: HashSet::new(),
    };
    loop {
        let mut block = [0; BLOCK_BYTES];
        let (read, error) = fill(archive.input, &mut block);
        if read == BLOCK_BYTES
            && let Some(mut header) = Header::of(&block)
        {
            if let Some(open) = archive.open.take() {
                header.end_with_name(open, pass, archive.output)?;
            }
            archive.member(header)?;
            continue;
        }
        let pending = std::mem::take(&mut archive.extensions);
        pending.write(archive.output, None)?;
        archive.open.get_or_insert_with(|| Run::new(pass)).push(&block[..read], pass, archive.output)?;
        if read < BLOCK_BYTES {
            let open = archive.open.take();
            open.map_or(Ok(()), |open| open.finish(pass, archive.output))?;
            return error.map_or(Ok(()), |error| Err(error.into()));
        }
    }
}

/// Fills a block as far as that works.
fn fill(input: &mut dyn Read, block: &mut [u8]) -> (usize, Option<io::Error>) {
    let mut filled = 0;
    while filled < block.len() {
        match input.read(&mut block[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) => return (filled, Some(error)),
        }
    }
    (filled, None)
}

struct Archive<'a, 'io> {
    pass: Pass<'a>,
    input: &'io mut dyn Read,
    output: &'io mut dyn Write,
    /// What came last, unless that was a container: a secret can run on from it
    /// into the next name.
    open: Option<Run>,
    /// What was said about the next member.
    extensions: Extensions,
    /// Hashes of the paths of members that were withheld: links to them lead
    /// nowhere.
    withheld: HashSet<u64>,
}

impl Archive<'_, '_> {
    fn member(&mut self, header: Header) -> Result<(), Stop> {
        self.pass.meter().member()?;
        match header.kind() {
            Kind::Extension => self.extension(header),
            Kind::Link if self.is_withheld(&self.extensions.link_name(&header)) => {
                self.withhold(header, "it is a link to a member that was withheld")
            }
            Kind::Link | Kind::Empty => self.head(header, None),
            Kind::Sparse => {
                let mut more = header.has_sparse_map();
                while more {
                    let map = self.block()?;
                    more = header::has_sparse_map(&map);
                }
                self.leave_out(header, "it is a sparse file, which cannot be censored")
            }
            Kind::Continued => self.leave_out(header, "it is a part of a file of several volumes"),
            Kind::File if self.extensions.is_sparse() => {
                self.leave_out(header, "it is a sparse file, which cannot be censored")
            }
            Kind::File => self.file(header),
        }
    }

    fn block(&mut self) -> Result<[u8; BLOCK_BYTES], Stop> {
        let mut block = [0; BLOCK_BYTES];
        match read_full(self.input, &mut block)? {
            BLOCK_BYTES => Ok(block),
            _ => Err(Stop::Truncated),
        }
    }

    /// Keeps what is said about the next member, or passes on what is said about all.
    fn extension(&mut self, header: Header) -> Result<(), Stop> {
        let size = header.size();
        if size > MOST_EXTENSION_BYTES {
            return Err(Stop::Member("a header in it is too large".to_owned()));
        }
        let mut content = Vec::new();
        self.input.take(size).read_to_end(&mut content)?;
        let is_whole = content.len() as u64 == size;
        self.padding(size)?;
        let is_global = header.is_global();
        let extensions = extension::read(header.masked(self.pass)?, content, self.pass)?;
        if !is_whole {
            return Err(Stop::Truncated);
        }
        if is_global {
            if extensions.is_sparse() || extensions.size().is_some() {
                return Err(Stop::Member("a header in it is about the sizes of all members".to_owned()));
            }
            return extensions.write(self.output, None);
        }
        self.extensions.append(extensions);
        Ok(())
    }

    /// Skips what fills the last block; how much that is, less where the archive
    /// ends. Zeros are written in its place: anything else could go on with what
    /// the content ends with.
    fn padding(&mut self, size: u64) -> Result<usize, Stop> {
        let mut padding = vec![0; header::padding(size)];
        let read = read_full(self.input, &mut padding)?;
        if self.pass.is_looking() && padding.iter().any(|byte| *byte != 0) {
            return Err(Stop::Dirty);
        }
        Ok(read)
    }

    /// Writes the header, and what is said about the member before it.
    fn head(&mut self, header: Header, new_size: Option<u64>) -> Result<(), Stop> {
        let mut masked = header.masked(self.pass)?;
        if let Some(size) = new_size {
            masked.set_size(size);
        }
        std::mem::take(&mut self.extensions).write(self.output, new_size)?;
        self.output.write_all(masked.bytes())?;
        Ok(())
    }

    fn file(&mut self, header: Header) -> Result<(), Stop> {
        let size = self.extensions.size().unwrap_or_else(|| header.size());
        let mut content = (&mut *self.input).take(size);
        let mut beginning = [0; PEEK_BYTES];
        let (peeked, error) = fill(&mut content, &mut beginning);
        let beginning = &mut beginning[..peeked];
        if let Some(error) = error {
            self.pass.mask_text(beginning)?;
            return Err(error.into());
        }
        let Some(format) = Format::of(beginning) else {
            self.pass.note_unknown(beginning);
            return self.plain(header, beginning, size);
        };
        let spool = Spool::fill(self.pass, &mut (&*beginning).chain(content))?;
        let settled = self.pass.settle(format, &spool)?;
        if spool.len() < size {
            return Err(Stop::Truncated);
        }
        let padding = self.padding(size)?;
        match settled {
            Settled::Unchanged => {
                self.head(header, None)?;
                copy(&spool, self.output)?;
                Ok(self.output.write_all(&vec![0; padding])?)
            }
            Settled::Rewritten(spool) => {
                let new_size = spool.len();
                self.head(header, Some(new_size))?;
                copy(&spool, self.output)?;
                Ok(self.output.write_all(&vec![0; header::padding(new_size)])?)
            }
            Settled::Withheld(reason) => self.withhold(header, &reason),
        }
    }

    /// A member that is no container passes as it comes.
    fn plain(&mut self, header: Header, beginning: &[u8], size: u64) -> Result<(), Stop> {
        self.head(header, None)?;
        // What fills the last block is read with it, as one text.
        let padding = header::padding(size) as u64;
        let rest = (&mut *self.input).take((size - beginning.len() as u64).saturating_add(padding));
        let mut content = beginning.chain(rest);
        let mut run = Run::new(self.pass);
        let read = run.read(&mut content, self.pass, self.output);
        let is_cut_off = content.into_inner().1.limit() > padding;
        if read.is_err() || is_cut_off {
            run.finish(self.pass, self.output)?;
            return read.and(Err(Stop::Truncated));
        }
        self.open = Some(run);
        Ok(())
    }

    /// Skips the content of a member that cannot be censored.
    fn leave_out(&mut self, header: Header, reason: &str) -> Result<(), Stop> {
        if self.pass.is_looking() {
            return Err(Stop::Dirty);
        }
        let size = self.extensions.size().unwrap_or_else(|| header.size());
        let skipped = size + header::padding(size) as u64;
        if io::copy(&mut self.input.take(skipped), &mut io::sink())? < size {
            return Err(Stop::Truncated);
        }
        self.withhold(header, reason)
    }

    /// Puts a line with the reason in the place of a member.
    fn withhold(&mut self, header: Header, reason: &str) -> Result<(), Stop> {
        self.pass.count_withheld()?;
        let extensions = std::mem::take(&mut self.extensions);
        let masked = header.masked(self.pass)?;
        let path = extensions.path(&masked);
        self.withheld.insert(hash(&path));
        let name = [&path, PLACEHOLDER_SUFFIX].concat();
        let line = format!("This member was withheld: {reason}.\n");
        let placeholder = masked.placeholder(&name, line.len() as u64);
        if !placeholder.holds(&name) {
            Extensions::path_only(&masked, &name).write(self.output, None)?;
        }
        self.output.write_all(placeholder.bytes())?;
        let padding = vec![0; header::padding(line.len() as u64)];
        self.output.write_all(&[line.as_bytes(), &padding].concat())?;
        Ok(())
    }

    fn is_withheld(&self, path: &[u8]) -> bool {
        !self.withheld.is_empty() && self.withheld.contains(&hash(path))
    }
}

fn hash(path: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish()
}
