//! The stream: cuts pieces of any size into tags and texts.
//!
//! `quick-xml` reads a window that begins with the first incomplete tag. Texts
//! that can be of any length, CDATA sections and comments, pass without being kept.

use super::cases::Cases;
use super::text::{MAX_REFERENCE_BYTES, decoded, entity};
use super::{MAX_FILE_BYTES, TestFile};
use memchr::memmem;
use quick_xml::events::Event;

/// Upper bound on a tag with its attributes. Messages of failures are attributes,
/// and some hold a whole difference.
const MAX_TAG_BYTES: usize = 256 << 10;

/// Bytes that are taken at a time: what is copied of a large piece.
const STEP_BYTES: usize = 16 << 10;

const CDATA: &[u8] = b"<![CDATA[";
const COMMENT: &[u8] = b"<!--";

/// A mark of the byte order. At the beginning of a file it is none of its text. quick-xml
/// takes the beginning of a window for that of a file, and does not count the mark's bytes.
const MARK: &[u8] = "\u{feff}".as_bytes();

/// Where the stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Markup,
    Cdata,
    Comment,
    /// Nothing more is read.
    Over,
}

/// Reads one report: any number of [`push`](Self::push)es, then
/// [`finish`](Self::finish).
#[derive(Debug)]
pub struct Reader {
    place: Place,
    /// Bytes that are not read yet.
    window: Vec<u8>,
    /// Size of the window from which on it is worth a try.
    try_at: usize,
    bytes: u64,
    /// The window is not the beginning of the file any more.
    is_begun: bool,
    cases: Cases,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            place: Place::Markup,
            window: Vec::new(),
            try_at: 1,
            bytes: 0,
            is_begun: false,
            cases: Cases::default(),
        }
    }
}

impl Reader {
    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        for step in bytes.chunks(STEP_BYTES) {
            if self.place == Place::Over {
                return;
            }
            self.bytes += step.len() as u64;
            if self.bytes > MAX_FILE_BYTES {
                self.cases.is_cut();
                return self.stop();
            }
            self.window.extend_from_slice(step);
            if self.window.len() >= self.try_at {
                self.read(false);
            }
        }
    }

    /// Takes this many zeros, in as little time as what is read of one file at most.
    pub fn push_zeros(&mut self, mut zeros: u64) {
        let step = [0; STEP_BYTES];
        while zeros > 0 && self.place != Place::Over {
            let now = STEP_BYTES.min(usize::try_from(zeros).unwrap_or(usize::MAX));
            self.push(&step[..now]);
            zeros -= now as u64;
        }
    }

    /// Returns what was read; `None` where the file is no report.
    pub fn finish(mut self) -> Option<TestFile> {
        if self.place != Place::Over {
            self.read(true);
        }
        if self.place != Place::Markup || !self.window.is_empty() {
            self.cases.is_cut();
        }
        self.cases.finish()
    }

    #[cfg(test)]
    pub(super) fn window_bytes(&self) -> usize {
        self.window.len()
    }

    fn stop(&mut self) {
        self.place = Place::Over;
        self.window = Vec::new();
    }

    /// Reads as far as the window goes.
    fn read(&mut self, end: bool) {
        loop {
            let done = match self.place {
                Place::Markup => self.markup(end),
                Place::Cdata => self.skip_to(b"]]>", true),
                Place::Comment => self.skip_to(b"-->", false),
                Place::Over => true,
            };
            if self.cases.is_over() {
                self.stop();
            }
            if done {
                break;
            }
        }
        self.try_at = if self.place == Place::Markup { self.window.len() * 2 } else { 0 }.max(1);
        if self.window.len() > MAX_TAG_BYTES {
            self.cases.is_cut();
            self.stop();
        }
    }

    /// Reads tags and short texts; returns true where more bytes are needed.
    fn markup(&mut self, end: bool) -> bool {
        while self.window.starts_with(MARK) {
            if self.is_begun {
                self.cases.text(MARK);
            }
            self.window.drain(..MARK.len());
            self.is_begun = true;
        }
        let mut xml = quick_xml::Reader::from_reader(self.window.as_slice());
        let config = xml.config_mut();
        config.check_end_names = false;
        config.allow_unmatched_ends = true;
        config.allow_dangling_amp = true;
        let mut read = 0;
        loop {
            let event = xml.read_event();
            match &event {
                Ok(Event::Start(tag)) => self.cases.start(tag),
                Ok(Event::Empty(tag)) => {
                    self.cases.start(tag);
                    self.cases.end();
                }
                Ok(Event::End(_)) => self.cases.end(),
                // A reference may go on in the next piece.
                Ok(Event::Text(text))
                    if !end && text.starts_with(b"&") && is_last(read, text, &self.window) =>
                {
                    break;
                }
                Ok(Event::Text(text)) => self.cases.text(text),
                Ok(Event::GeneralRef(name)) => self.cases.text(reference(name).as_bytes()),
                Ok(Event::CData(text)) => self.cases.text(text),
                Ok(Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_)) => {}
                Ok(Event::Eof) => {
                    read = self.window.len();
                    break;
                }
                Err(_) => break,
            }
            read = usize::try_from(xml.buffer_position()).unwrap_or(usize::MAX).min(self.window.len());
            if self.cases.is_over() {
                break;
            }
        }
        self.window.drain(..read);
        self.is_begun |= read > 0;
        // What begins here and is not at its end can be of any length.
        let place = if self.window.starts_with(CDATA) {
            self.window.drain(..CDATA.len());
            Place::Cdata
        } else if self.window.starts_with(COMMENT) {
            self.window.drain(..COMMENT.len());
            Place::Comment
        } else {
            return true;
        };
        (self.place, self.is_begun) = (place, true);
        false
    }

    /// Passes on to the end of a CDATA section or a comment; returns true where more
    /// bytes are needed.
    fn skip_to(&mut self, mark: &[u8], is_text: bool) -> bool {
        let found = memmem::find(&self.window, mark);
        let upto = found.unwrap_or_else(|| self.window.len().saturating_sub(mark.len() - 1));
        if is_text {
            self.cases.text(&self.window[..upto]);
        }
        self.window.drain(..upto);
        if found.is_some() {
            self.window.drain(..mark.len());
            self.place = Place::Markup;
        }
        found.is_none()
    }
}

/// Returns whether a text that began at `read` reaches the window's end, and is short
/// enough to be the beginning of a reference.
fn is_last(read: usize, text: &[u8], window: &[u8]) -> bool {
    text.len() <= MAX_REFERENCE_BYTES && read + text.len() == window.len()
}

/// Returns what a reference stands for; an unknown one stays as it is.
fn reference(name: &[u8]) -> String {
    let name = decoded(name);
    entity(&name).map_or_else(|| format!("&{name};"), String::from)
}
