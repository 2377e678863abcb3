//! Parts that are not kept in memory but read from their file a second time when they
//! are sent, so that many of them can be on their way.
//!
//! The job can write to the file, or cut it, after the first reading, which looked for
//! secrets. So the bytes of the second one must have the sum of the first: the last
//! piece of a part is not sent before that is known, and without it no store has a part.

use super::Buffers;
use super::buffers::Buffer;
use crate::io::source::OpenFile;
use bytes::Bytes;
use futures::Stream;
use futures::stream::try_unfold;
use object_store::aws::AwsCredentialProvider;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that are read at a time.
pub(super) const PIECE_BYTES: usize = 128 * 1024;

/// Pieces of a part in memory: one is sent, one is read.
const MAX_PIECES: usize = 2;

/// Bytes of memory that a part on its way takes.
pub(in crate::io) const IN_FLIGHT_BYTES: usize = MAX_PIECES * PIECE_BYTES;

/// The terms on which a store takes parts that are read a second time.
#[derive(Clone, Debug)]
pub(in crate::io) struct SecondReading {
    /// The keys to sign a part with, by its sum; `None` where requests are not signed.
    pub(super) keys: Option<AwsCredentialProvider>,
    /// A SHA-256 of each part is wanted before it is sent.
    pub(in crate::io) needs_sha256: bool,
}

/// The content of a part.
#[derive(Debug)]
pub(in crate::io) enum PartContent {
    /// Its bytes.
    Memory(Bytes),
    /// The place where they are read once more.
    File(FilePart),
}

impl PartContent {
    pub(in crate::io) fn len(&self) -> usize {
        match self {
            Self::Memory(bytes) => bytes.len(),
            Self::File(part) => part.bytes,
        }
    }

    pub(super) fn crc32c(&self) -> u32 {
        match self {
            Self::Memory(bytes) => crc32c::crc32c(bytes),
            Self::File(part) => part.crc32c,
        }
    }
}

/// A part as it was when it was read for the first time. Clones are the same part.
#[derive(Clone, Debug)]
pub(in crate::io) struct FilePart {
    pub(in crate::io) file: Arc<OpenFile>,
    /// Its place in the file, and its length.
    pub(in crate::io) at: u64,
    pub(in crate::io) bytes: usize,
    pub(in crate::io) crc32c: u32,
    pub(in crate::io) sha256: Option<[u8; 32]>,
    /// Becomes true when the second reading is not as the first.
    pub(in crate::io) differs: Differs,
    /// Memory for its pieces.
    pub(in crate::io) pieces: Arc<Buffers>,
    /// Permit to be on its way.
    pub(in crate::io) permit: Option<Arc<OwnedSemaphorePermit>>,
}

/// True once a part of an attempt was not what it had been.
#[derive(Clone, Debug, Default)]
pub(in crate::io) struct Differs(Arc<AtomicBool>);

impl Differs {
    pub(in crate::io) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl FilePart {
    /// Reads it, piece by piece; fails before the last one when the bytes are others, or
    /// fewer.
    pub(super) fn stream(&self) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        let room = Arc::new(Semaphore::new(MAX_PIECES));
        let reading = Reading { part: self.clone(), read: 0, crc32c: 0, room };
        try_unfold(reading, Reading::next)
    }
}

struct Reading {
    part: FilePart,
    read: usize,
    crc32c: u32,
    room: Arc<Semaphore>,
}

impl Reading {
    async fn next(mut self) -> io::Result<Option<(Bytes, Self)>> {
        let length = PIECE_BYTES.min(self.part.bytes - self.read);
        if length == 0 {
            return Ok(None);
        }
        let permit = Arc::clone(&self.room).acquire_owned().await.map_err(io::Error::other)?;
        let mut piece = self.part.pieces.take(PIECE_BYTES, permit);
        let (file, at, before) = (Arc::clone(&self.part.file), self.part.at + self.read as u64, self.crc32c);
        // Off the runtime's thread: the disk may be slow, or hang.
        let reading = tokio::task::spawn_blocking(move || {
            fill(&file, at, &mut piece, length)?;
            let crc32c = crc32c::crc32c_append(before, &piece.bytes);
            io::Result::Ok((piece, crc32c))
        });
        let read = reading.await.map_err(io::Error::other)?;
        self.read += length;
        match read {
            Ok((piece, crc32c)) if self.read < self.part.bytes || crc32c == self.part.crc32c => {
                self.crc32c = crc32c;
                Ok(Some((piece.freeze(), self)))
            }
            Ok(_) => self.differs(io::Error::other("the file has changed since it was read")),
            Err(error) => self.differs(error),
        }
    }

    fn differs<T>(&self, error: io::Error) -> io::Result<T> {
        self.part.differs.0.store(true, Ordering::Relaxed);
        Err(error)
    }
}

fn fill(file: &OpenFile, mut at: u64, piece: &mut Buffer, length: usize) -> io::Result<()> {
    piece.bytes.resize(length, 0);
    let mut rest = piece.bytes.as_mut_slice();
    while !rest.is_empty() {
        let read = file.read_at(at, rest)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        at += read as u64;
        rest = &mut rest[read..];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::source::FileSource;
    use crate::io::store::buffers::Pool;
    use futures::TryStreamExt;
    use std::fs::File;
    use std::os::unix::fs::FileExt;

    const BYTES: usize = 3 * PIECE_BYTES + 7;

    /// A file in which a part lies between two other bytes.
    fn part(change: impl FnOnce(&File)) -> (FilePart, Vec<u8>) {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("file");
        let content: Vec<u8> = (0..BYTES + 2).map(|at| u8::try_from(at % 251).expect("below 251")).collect();
        std::fs::write(&path, &content).expect("written");
        let opened = FileSource::configured(path.clone()).open().expect("opened");
        let content = content[1..=BYTES].to_vec();
        let part = FilePart {
            file: Arc::new(opened.again().expect("once more")),
            at: 1,
            bytes: BYTES,
            crc32c: crc32c::crc32c(&content),
            sha256: None,
            differs: Differs::default(),
            pieces: Pool::of_at_least(PIECE_BYTES).get(),
            permit: None,
        };
        drop(opened);
        change(&File::options().write(true).open(&path).expect("opened"));
        (part, content)
    }

    fn read(part: &FilePart) -> (Vec<u8>, Option<io::Error>) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let mut stream = std::pin::pin!(part.stream());
            let mut bytes = Vec::new();
            loop {
                match stream.try_next().await {
                    Ok(Some(piece)) => bytes.extend_from_slice(&piece),
                    Ok(None) => return (bytes, None),
                    Err(error) => return (bytes, Some(error)),
                }
            }
        })
    }

    #[test]
    fn a_part_is_read_as_often_as_it_is_wanted() {
        let (part, content) = part(|_| ());
        for _ in 0..2 {
            let (bytes, error) = read(&part);
            assert!(bytes == content && error.is_none(), "{error:?}");
        }
        assert!(!part.differs.get());
    }

    #[test]
    fn i6_a_byte_that_has_changed_keeps_the_end_of_the_part_back() {
        for at in [1, PIECE_BYTES as u64, BYTES as u64] {
            let (part, _) = part(|file| assert_eq!(file.write_at(b"\xff", at).expect("written"), 1));
            let (bytes, error) = read(&part);
            assert!(bytes.len() == 3 * PIECE_BYTES && error.is_some(), "{at}: {}", bytes.len());
            assert!(part.differs.get());
        }
    }

    #[test]
    fn a_part_that_is_cut_is_not_sent_to_its_end() {
        for size in [0, 1, PIECE_BYTES, BYTES] {
            let (part, content) = part(|file| file.set_len(size as u64).expect("cut"));
            let (bytes, error) = read(&part);
            assert!(bytes.len() < content.len() && bytes[..] == content[..bytes.len()]);
            assert_eq!(error.expect("it fails").kind(), io::ErrorKind::UnexpectedEof, "{size}");
            assert!(part.differs.get());
        }
    }

    #[test]
    fn i8_a_part_takes_two_pieces_of_memory() {
        let (part, _) = part(|_| ());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            let mut stream = std::pin::pin!(part.stream());
            let first = stream.try_next().await.expect("read");
            let second = stream.try_next().await.expect("read");
            let third = tokio::time::timeout(std::time::Duration::from_millis(20), stream.try_next());
            assert!(third.await.is_err(), "nothing is read while two pieces are kept");
            drop(first);
            assert!(stream.try_next().await.expect("read").is_some());
            drop(second);
        });
    }
}
