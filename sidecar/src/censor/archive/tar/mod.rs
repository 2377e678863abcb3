//! tar archives: v7, ustar, pax, and GNU with its long names.
//!
//! Masking keeps sizes, so plain members are streamed. A member that is itself a
//! container can change its size, and is spooled until that is known. Blocks
//! that are no header are masked as text; the next header is looked for behind
//! them, as tar does.

mod extension;
mod header;
mod sparse;

use super::CHUNK_BYTES;
use super::Stop;
use super::bytes::{Cursor, ReadAt, read_full};
use super::digests;
use super::format::{Format, PEEK_BYTES, ZIP_MEMBER};
use super::spool::Spool;
use super::survey::{NotingZipMembers, ZipMembers};
use super::tar_block::{self, BYTES as BLOCK_BYTES};
use super::walk::{Nested, TextMasker, Walk, copy};
use super::zip;
use extension::Extensions;
use header::{Header, MemberKind};
use memchr::memmem;
use sparse::Map;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufRead, BufReader, Read, Write};

/// Maximum size of an extension header, which is kept in memory. They contain
/// names and times; no sane writer makes larger ones.
const MAX_EXTENSION_BYTES: u64 = 1024 * 1024;

const PLACEHOLDER_SUFFIX: &[u8] = b".withheld.txt";

/// Censors an archive.
pub(super) fn censor(walk: Walk<'_>, input: &mut dyn Read, output: &mut dyn Write) -> Result<(), Stop> {
    let mut archive = Archive {
        walk,
        input: BufReader::with_capacity(CHUNK_BYTES, input),
        output,
        open: None,
        zip_members: ZipMembers::default(),
        extensions: Extensions::default(),
        withheld: HashSet::new(),
    };
    loop {
        let mut block = [0; BLOCK_BYTES];
        let (read, error) = fill(&mut archive.input, &mut block);
        if read == BLOCK_BYTES
            && let Some(mut header) = Header::of(&block)
        {
            if let Some(open) = archive.open.take() {
                header.end_with_name(open, walk, archive.output)?;
            }
            archive.member(header)?;
            continue;
        }
        let pending = std::mem::take(&mut archive.extensions);
        pending.write(archive.output, None)?;
        archive.text(&block[..read])?;
        archive.skip_to_header()?;
        if read < BLOCK_BYTES {
            let open = archive.open.take();
            open.map_or(Ok(()), |open| open.finish(walk, archive.output))?;
            return error.map_or(Ok(()), |error| Err(error.into()));
        }
    }
}

/// Fills a block as far as possible.
fn fill(input: &mut (impl Read + ?Sized), block: &mut [u8]) -> (usize, Option<io::Error>) {
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
    walk: Walk<'a>,
    input: BufReader<&'io mut dyn Read>,
    output: &'io mut dyn Write,
    /// The preceding content, unless it was a container: a secret can extend from
    /// it into the next name.
    open: Option<TextMasker>,
    /// Finds members of a zip archive among the blocks that are no header.
    zip_members: ZipMembers,
    /// Metadata of the next member.
    extensions: Extensions,
    /// Hashes of the paths of withheld members: links to them would dangle.
    withheld: HashSet<u64>,
}

impl Archive<'_, '_> {
    /// Masks blocks that are no header.
    fn text(&mut self, blocks: &[u8]) -> Result<(), Stop> {
        self.zip_members.note(self.walk, blocks);
        let open = self.open.get_or_insert_with(|| TextMasker::new(self.walk));
        open.push(blocks, self.walk, self.output)
    }

    /// Masks the blocks up to the next header, as far as they are buffered.
    fn skip_to_header(&mut self) -> Result<(), Stop> {
        let blocks = self.input.buffer().as_chunks().0;
        let count = blocks.iter().take_while(|block| !tar_block::is_header(block)).count();
        let text = blocks[..count].as_flattened().to_vec();
        self.input.consume(text.len());
        self.text(&text)
    }

    fn member(&mut self, header: Header) -> Result<(), Stop> {
        self.walk.meter().member()?;
        if !self.walk.is_looking() {
            self.walk.note_digests(digests::of_member(&self.extensions.path(&header)));
        }
        match header.kind() {
            MemberKind::Extension => self.extension(header),
            MemberKind::Link if self.is_withheld(&self.extensions.link_name(&header)) => {
                self.withhold(header, "it is a link to a member that was withheld")
            }
            MemberKind::Link | MemberKind::Empty => self.head(header, None),
            MemberKind::Sparse => {
                let (mut map, mut blocks) = (Map::of_header(header.bytes()), Vec::new());
                let mut more = header.has_sparse_map();
                while more {
                    let block = self.block()?;
                    map = map.and_then(|mut map| map.append_block(&block).map(|()| map));
                    if map.is_some() {
                        blocks.extend_from_slice(&block);
                    }
                    more = header::has_sparse_map(&block);
                }
                match map {
                    Some(map) => self.sparse(header, Some((map, blocks))),
                    None => self.leave_out(header, "it is a sparse file with too many parts"),
                }
            }
            MemberKind::Continued => self.leave_out(header, "it is a part of a file of several volumes"),
            MemberKind::File if self.extensions.has_sparse_map_inside() => self.sparse(header, None),
            MemberKind::File if self.extensions.is_sparse() => {
                self.leave_out(header, "it is a sparse file, which cannot be censored")
            }
            MemberKind::File => self.file(header),
        }
    }

    fn block(&mut self) -> Result<[u8; BLOCK_BYTES], Stop> {
        let mut block = [0; BLOCK_BYTES];
        match read_full(&mut self.input, &mut block)? {
            BLOCK_BYTES => Ok(block),
            _ => Err(Stop::Truncated),
        }
    }

    /// Keeps the next member's metadata, and copies global metadata.
    fn extension(&mut self, header: Header) -> Result<(), Stop> {
        let size = header.size();
        if size > MAX_EXTENSION_BYTES {
            return Err(Stop::Member("a header in it is too large".to_owned()));
        }
        let mut content = Vec::new();
        (&mut self.input).take(size).read_to_end(&mut content)?;
        let is_whole = content.len() as u64 == size;
        self.padding(size)?;
        let is_global = header.is_global();
        let extensions = extension::read(header.masked(self.walk)?, content, self.walk)?;
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

    /// Skips the padding of the last block, and returns its length, which is less
    /// at the end of the archive. Zeros replace it: anything else could continue a
    /// text at the end of the content.
    fn padding(&mut self, size: u64) -> Result<usize, Stop> {
        let mut padding = vec![0; header::padding(size)];
        let read = read_full(&mut self.input, &mut padding)?;
        if self.walk.is_looking() && padding.iter().any(|byte| *byte != 0) {
            return Err(Stop::Dirty);
        }
        Ok(read)
    }

    /// Writes the header, preceded by the member's metadata.
    fn head(&mut self, header: Header, new_size: Option<u64>) -> Result<(), Stop> {
        let mut masked = header.masked(self.walk)?;
        if let Some(size) = new_size {
            masked.set_size(size);
        }
        std::mem::take(&mut self.extensions).write(self.output, new_size)?;
        self.output.write_all(masked.bytes())?;
        Ok(())
    }

    fn file(&mut self, header: Header) -> Result<(), Stop> {
        let size = self.extensions.size().unwrap_or_else(|| header.size());
        let mut content = (&mut self.input).take(size);
        let mut beginning = [0; PEEK_BYTES];
        let (peeked, error) = fill(&mut content, &mut beginning);
        let beginning = &mut beginning[..peeked];
        if let Some(error) = error {
            self.walk.mask_text(beginning)?;
            return Err(error.into());
        }
        let format = Format::of(beginning);
        if format.is_none() {
            self.walk.note_unknown(beginning);
            if !may_end_in_zip(beginning) || size > self.walk.meter().limits().memory / 4 {
                return self.plain(header, (&*beginning, peeked as u64), size);
            }
        }
        let spool = Spool::fill(self.walk, &mut (&*beginning).chain(content))?;
        let Some(format) = zip::or_at_end(format, &spool)? else {
            return self.plain(header, (Cursor::new(&spool), spool.len()), size);
        };
        let nested = self.walk.censor_nested(format, &spool)?;
        if spool.len() < size {
            return Err(Stop::Truncated);
        }
        let padding = self.padding(size)?;
        match nested {
            Nested::Unchanged => {
                self.head(header, None)?;
                copy(&spool, self.output)?;
                Ok(self.output.write_all(&vec![0; padding])?)
            }
            Nested::Rewritten(spool) => {
                let new_size = spool.len();
                self.head(header, Some(new_size))?;
                copy(&spool, self.output)?;
                Ok(self.output.write_all(&vec![0; header::padding(new_size)])?)
            }
            Nested::Withheld(reason) => self.withhold(header, &reason),
        }
    }

    /// Streams a member that is no container. `beginning` and its length are of what was read.
    fn plain(&mut self, header: Header, beginning: (impl Read, u64), size: u64) -> Result<(), Stop> {
        self.head(header, None)?;
        // The padding of the last block is part of the text.
        let padding = header::padding(size) as u64;
        let (beginning, length) = beginning;
        let rest = (&mut self.input).take((size - length).saturating_add(padding));
        let mut content = NotingZipMembers::new(self.walk, beginning.chain(rest));
        let mut run = TextMasker::new(self.walk);
        let read = run.read(&mut content, self.walk, self.output);
        let is_cut_off = content.into_inner().into_inner().1.limit() > padding;
        if read.is_err() || is_cut_off {
            run.finish(self.walk, self.output)?;
            return read.and(Err(Stop::Truncated));
        }
        self.open = Some(run);
        Ok(())
    }

    /// Copies a sparse member that holds no secret, and withholds another one. `map` is
    /// what GNU's own form has in front of the content.
    fn sparse(&mut self, header: Header, map: Option<(Map, Vec<u8>)>) -> Result<(), Stop> {
        let size = self.extensions.size().unwrap_or_else(|| header.size());
        let (map, mut blocks) = map.map_or((None, Vec::new()), |(map, blocks)| (Some(map), blocks));
        if self.walk.is_looking() {
            self.walk.mask_text(&mut blocks)?;
            let scanned = sparse::scan(self.walk, map.as_ref(), size, &mut (&mut self.input).take(size));
            scanned.map_err(|stop| if let Stop::Member(_) = stop { Stop::Dirty } else { stop })?;
            self.head(header, None)?;
            return self.padding(size).map(|_| ());
        }
        let spool = Spool::fill(self.walk, &mut (&mut self.input).take(size))?;
        if spool.len() < size {
            return Err(Stop::Truncated);
        }
        let padding = self.padding(size)?;
        let looked = self.walk.look_again(|walk| {
            walk.mask_text(&mut blocks.clone())?;
            sparse::scan(walk, map.as_ref(), size, &mut Cursor::new(&spool))
        });
        match looked {
            Ok(()) => {
                self.head(header, None)?;
                self.output.write_all(&blocks)?;
                copy(&spool, self.output)?;
                Ok(self.output.write_all(&vec![0; padding])?)
            }
            Err(Stop::Dirty) => self.withhold(header, "it is a sparse file that holds a secret"),
            Err(stop @ (Stop::File(_) | Stop::GivenUp | Stop::Io(_))) => Err(stop),
            Err(stop) => self.withhold(header, &stop.to_string()),
        }
    }

    /// Skips the content of a member that cannot be censored.
    fn leave_out(&mut self, header: Header, reason: &str) -> Result<(), Stop> {
        if self.walk.is_looking() {
            return Err(Stop::Dirty);
        }
        let size = self.extensions.size().unwrap_or_else(|| header.size());
        let skipped = size + header::padding(size) as u64;
        if io::copy(&mut (&mut self.input).take(skipped), &mut io::sink())? < size {
            return Err(Stop::Truncated);
        }
        self.withhold(header, reason)
    }

    /// Replaces a member with a line that gives the reason.
    fn withhold(&mut self, header: Header, reason: &str) -> Result<(), Stop> {
        self.walk.count_withheld()?;
        let extensions = std::mem::take(&mut self.extensions);
        let masked = header.masked(self.walk)?;
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

/// Returns whether a file with this beginning may be a program with a zip archive behind it.
fn may_end_in_zip(beginning: &[u8]) -> bool {
    beginning.starts_with(b"#!") || memmem::find(beginning, ZIP_MEMBER).is_some()
}

fn hash(path: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish()
}
