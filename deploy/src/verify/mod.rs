//! `podutils verify`: compares a destination with its manifest.
//!
//! Each object of `manifest.json` is read and compared: size, CRC32C, and content
//! type and encoding where the store keeps them. Objects that are there and in no
//! manifest are named too. `manifest.json` itself and `finished.json` come after it
//! and are only looked for.

mod names;

use crate::builds;
use crate::results::{Results, block_on};
use crate::terminal::{self, Problem, size};
use anyhow::{Context, Result, bail};
use clap::{Arg, ArgAction, ArgMatches, Command};
use common::report::crc32c_text;
use futures::StreamExt;
use job_page::escape::visible;
use job_page::manifest::{self, Object, base_of, name_below};
use names::{Backslashes, Names};
use sidecar::io::store::Head;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Seek;

/// Objects that are read at the same time.
const MAX_CONCURRENT_READS: usize = 8;

/// Differences that are named; the others are counted.
const MAX_DIFFERENCES: usize = 300;

/// Objects that are held while the manifest is read.
const MAX_BATCH: usize = 1000;

/// Objects at a job's path that sidecar does not write: initupload's, those of
/// Prow's controllers, and the page of `podutils run`.
const OF_OTHERS: [&str; 6] =
    ["started.json", "clone-log.txt", "clone-records.json", "prowjob.json", "podinfo.json", "report.html"];

/// The subcommand's definition.
pub(crate) fn command() -> Command {
    Command::new("verify")
        .about("Checks that what lies at a destination is what sidecar delivered there")
        .args(Results::args())
        .next_help_heading("Extent")
        .arg(
            Arg::new("quick")
                .long("quick")
                .action(ArgAction::SetTrue)
                .help("Do not read the objects: presence, size and type only, no checksums"),
        )
        .after_help(
            "Compares every object with manifest.json: present, size, CRC32C, and content type and encoding where\n\
             the store keeps them; names objects that are not in the manifest. latest-build.txt and the alias of a\n\
             presubmit, which later runs replace, are only looked for. Says which names with a backslash the store\n\
             has under another one.\n\n\
             Exit status: 0 when everything is as delivered; 1 with a line for each difference; 2 for a wrong command line.\n\n\
             Examples:\n  \
             podutils verify pod-utils-out/local/20260131120000000\n  \
             podutils verify --s3-credentials-file s3.json s3://ci-results/logs/nightly/42",
        )
}

/// Runs the subcommand.
pub(crate) fn run(matches: &ArgMatches) -> Result<u8, Problem> {
    let results = Results::from_matches(matches)?;
    let quick = matches.get_flag("quick");
    let (audit, results) = block_on(async {
        let results = builds::meant(results).await?;
        let audit = audit(&results, quick).await.with_context(|| results.display())?;
        Ok((audit, results))
    })?;
    let seen = format!("{}: {} objects, {}", results.display(), audit.objects, size(audit.bytes));
    let count = audit.differences.count();
    let left_out = audit.differences.left_out;
    let mut lines = audit.notes;
    lines.extend(audit.differences.lines);
    if left_out > 0 {
        lines.push(format!("… and {left_out} more"));
    }
    let status = if count == 0 { 0 } else { common::codes::EXIT_FAILURE };
    lines.push(match count {
        0 => format!("{seen}, all as manifest.json says"),
        count => format!("{seen}, {count} differences"),
    });
    if audit.missing > 0 {
        lines.push(format!("{} objects had not been delivered; podutils show says why", audit.missing));
    }
    let text = lines.join("\n") + "\n";
    terminal::print(text.as_bytes())?;
    Ok(status)
}

/// The outcome of a comparison.
#[derive(Debug, Default)]
struct Audit {
    /// Objects that the manifest says are there.
    objects: u64,
    bytes: u64,
    /// Objects that it says are not.
    missing: u64,
    /// Notes about what is no difference.
    notes: Vec<String>,
    differences: Differences,
}

/// A bounded number of lines, and how many more there are.
#[derive(Debug, Default)]
struct Differences {
    lines: Vec<String>,
    left_out: usize,
}

impl Differences {
    fn push(&mut self, line: String) {
        if self.lines.len() < MAX_DIFFERENCES {
            self.lines.push(line);
        } else {
            self.left_out += 1;
        }
    }

    fn count(&self) -> usize {
        self.lines.len() + self.left_out
    }
}

async fn audit(results: &Results, quick: bool) -> Result<Audit> {
    let Some(file) = results.document("manifest.json").await? else {
        bail!("there is no manifest.json to compare with");
    };
    let Begin { base, count, gaps } = begin(&file)?;
    let above = results.above(&base);
    let mut audit = Audit::default();
    for gap in gaps {
        audit.differences.push(gap);
    }
    if results.head("finished.json").await?.is_none() {
        audit.differences.push("finished.json: it is not there".to_owned());
    }
    let mut names = Names::with_capacity(count);
    for batch in Batches::read(&file)? {
        let checks = batch.iter().filter(|object| object.is_there()).map(async |object| {
            match (name_below(&object.key, &base), &above) {
                (Some(name), _) => check(results, name, object, quick).await,
                (None, Some(above)) => check_pointer(above, &object.key).await,
                (None, None) => None,
            }
        });
        let found: Vec<_> = futures::stream::iter(checks).buffered(MAX_CONCURRENT_READS).collect().await;
        found.into_iter().flatten().for_each(|line| audit.differences.push(line));
        for object in &batch {
            match object.stored_bytes {
                Some(bytes) => {
                    audit.objects += 1;
                    audit.bytes = audit.bytes.saturating_add(bytes);
                }
                None => audit.missing += 1,
            }
            if let Some(name) = name_below(&object.key, &base) {
                names.add(name);
            }
        }
    }
    ["manifest.json", "finished.json"].into_iter().chain(OF_OTHERS).for_each(|name| names.add(name));
    names.sort();
    let strangers = RefCell::new(Differences::default());
    results
        .list(|listed| {
            if names.is_new_stranger(&listed.key) {
                let line =
                    format!("{}: it is not in manifest.json ({})", visible(&listed.key), size(listed.bytes));
                strangers.borrow_mut().push(line);
            }
        })
        .await
        .context("it cannot be listed")?;
    let Backslashes { notes, differences } = names.backslashes();
    audit.notes = notes;
    for line in differences {
        audit.differences.push(line);
    }
    let mut strangers = strangers.into_inner();
    strangers.lines.sort();
    audit.differences.left_out += strangers.left_out;
    strangers.lines.into_iter().for_each(|line| audit.differences.push(line));
    Ok(audit)
}

/// The facts about a manifest that are known before its objects are checked.
struct Begin {
    /// The upload path.
    base: String,
    /// Number of objects.
    count: usize,
    /// Everything that the delivery has left out.
    gaps: Vec<String>,
}

fn begin(file: &File) -> Result<Begin> {
    let (mut base, mut count) = (String::new(), 0);
    let rest = manifest::read(rewound(file)?, &mut |object| {
        count += 1;
        if let Some(found) = base_of(&object) {
            found.clone_into(&mut base);
        }
    })
    .map_err(anyhow::Error::msg)?;
    Ok(Begin { base, count, gaps: rest.gaps().collect() })
}

fn rewound(mut file: &File) -> Result<&File> {
    file.rewind().context("a temporary file")?;
    Ok(file)
}

/// The objects of a manifest, a thousand at a time.
struct Batches {
    receiver: std::sync::mpsc::Receiver<Vec<Object>>,
}

impl Batches {
    /// Reads in a thread of its own, which waits while a batch is being checked.
    /// The manifest has been read before, so that it is known to be one.
    fn read(file: &File) -> Result<Self> {
        let file = rewound(file)?.try_clone().context("a temporary file")?;
        let (sender, receiver) = std::sync::mpsc::sync_channel(0);
        std::thread::spawn(move || {
            let mut batch = Vec::new();
            let read = manifest::read(file, &mut |object| {
                // Its other texts are of no use here, and a thousand of them can be long.
                batch.push(Object { source: None, reason: None, error: None, ..object });
                if batch.len() == MAX_BATCH {
                    // Nobody listens any more when the checks have failed.
                    let _ = sender.send(std::mem::take(&mut batch));
                }
            });
            debug_assert!(read.is_ok(), "it was read before");
            let _ = sender.send(batch);
        });
        Ok(Self { receiver })
    }
}

impl Iterator for Batches {
    type Item = Vec<Object>;

    fn next(&mut self) -> Option<Vec<Object>> {
        self.receiver.recv().ok()
    }
}

/// Describes the first difference of an object; `None` if there is none.
async fn check(results: &Results, name: &str, object: &Object, quick: bool) -> Option<String> {
    let line = |what: String| Some(format!("{}: {what}", visible(name)));
    let read = if quick {
        results.head(name).await.map(|head| head.map(|head| (head.bytes, None, head)))
    } else {
        let read = results.through(
            name,
            || (0, 0),
            |(bytes, sum), block| {
                *bytes += block.len() as u64;
                *sum = crc32c::crc32c_append(*sum, block);
                true
            },
        );
        read.await.map(|found| found.map(|(head, (bytes, sum))| (bytes, Some(crc32c_text(sum)), head)))
    };
    let (bytes, sum, head) = match read {
        Ok(Some(found)) => found,
        Ok(None) => return line("it is not there".to_owned()),
        Err(error) => return line(error.to_string()),
    };
    let wanted = object.stored_bytes.unwrap_or(0);
    if bytes != wanted {
        return line(format!("it has {bytes} bytes, manifest.json says {wanted}"));
    }
    match (sum, &object.stored_crc32c) {
        (Some(sum), Some(wanted)) if !wanted.is_empty() && sum != *wanted => {
            return line(format!("its CRC32C is {sum}, manifest.json says {wanted}"));
        }
        _ => {}
    }
    if results.keeps_attributes() { attributes(&head, object).and_then(line) } else { None }
}

/// Describes a difference of content type or encoding.
fn attributes(head: &Head, object: &Object) -> Option<String> {
    let pairs = [
        ("content type", &head.content_type, &object.content_type),
        ("content encoding", &head.content_encoding, &object.content_encoding),
    ];
    // A store has a type for everything; the manifest names those that were set.
    let differs = |(what, is, wanted): &(&str, &Option<String>, &Option<String>)| match (is, wanted) {
        (Some(is), Some(wanted)) if *what == "content type" => !is_same_media_type(is, wanted),
        (is, Some(wanted)) => is.as_ref() != Some(wanted),
        (Some(_), None) => *what == "content encoding",
        (None, None) => false,
    };
    let (what, is, wanted) = pairs.into_iter().find(differs)?;
    let shown =
        |value: &Option<String>| value.as_ref().map_or("none".to_owned(), |value| format!("{value:?}"));
    Some(format!("its {what} is {}, manifest.json says {}", shown(is), shown(wanted)))
}

/// Compares media types as such (RFC 9110, 8.3.1): some stores spell them anew. The type,
/// the names of parameters and a character set have no case; parameters have no order, and
/// a value may stand in quotes.
fn is_same_media_type(one: &str, other: &str) -> bool {
    let parts = |text: &str| {
        let mut parts = text.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let parameters = parts.filter(|part| !part.is_empty()).map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let (name, value) = (name.trim().to_ascii_lowercase(), value.trim().trim_matches('"'));
            let value = if name == "charset" { value.to_ascii_lowercase() } else { value.to_owned() };
            (name, value)
        });
        (kind, parameters.collect::<BTreeSet<_>>())
    };
    parts(one) == parts(other)
}

/// Later runs replace these.
async fn check_pointer(above: &Results, key: &str) -> Option<String> {
    match above.head(key).await {
        Ok(Some(_)) => None,
        Ok(None) => Some(format!("{}: it is not there", visible(key))),
        Err(error) => Some(format!("{}: {error}", visible(key))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_are_compared_as_such() {
        let same = "text/plain; charset=utf-8";
        for spelled in
            ["text/plain;charset=utf-8", "Text/Plain ; Charset=\"UTF-8\"", "text/plain; charset=UTF-8;"]
        {
            assert!(is_same_media_type(spelled, same), "{spelled}");
        }
        for other in [
            "text/plain",
            "text/html; charset=utf-8",
            "text/plain; charset=utf-16",
            same.trim_end_matches('8'),
        ] {
            assert!(!is_same_media_type(other, same), "{other}");
        }
        assert!(is_same_media_type("a/b; x=1; y=2", "a/b;y=2;x=1"));
        assert!(!is_same_media_type("a/b; x=A", "a/b; x=a"));
    }

    #[test]
    fn types_are_compared_where_they_are_known() {
        let head = |kind: Option<&str>, encoding: Option<&str>| Head {
            bytes: 0,
            content_type: kind.map(str::to_owned),
            content_encoding: encoding.map(str::to_owned),
        };
        let object = |kind: Option<&str>, encoding: Option<&str>| Object {
            content_type: kind.map(str::to_owned),
            content_encoding: encoding.map(str::to_owned),
            ..Object::default()
        };
        let differs = |is: (Option<&str>, Option<&str>), wanted: (Option<&str>, Option<&str>)| {
            attributes(&head(is.0, is.1), &object(wanted.0, wanted.1)).is_some()
        };
        assert!(!differs((Some("text/plain"), None), (Some("text/plain"), None)));
        assert!(!differs((Some("binary/octet-stream"), None), (None, None)));
        assert!(differs((Some("text/html"), None), (Some("text/plain"), None)));
        assert!(differs((None, None), (Some("text/plain"), None)));
        assert!(differs((None, Some("gzip")), (None, None)));
        assert!(differs((None, None), (None, Some("gzip"))));
    }
}
