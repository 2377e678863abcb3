//! Options of the programs that have no flag of their own here, laid over what
//! `inject` makes: `--option PROGRAM.KEY=VALUE`, and flags that stand for one.
//!
//! The programs' own decoders read them, so that every option can be set, and a
//! wrong one is refused in the program's words.

use crate::terminal::Problem;
use common::json::{Document, decode};
use entrypoint::options::EntrypointOptions;
use serde_json::{Value, json};
use sidecar::initupload::InitUploadOptions;
use sidecar::options::{SidecarOptions, UploadOptions};

/// JSON objects for each program, in the order of the command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Overlays {
    entrypoint: Vec<String>,
    sidecar: Vec<String>,
    initupload: Vec<String>,
    upload: Vec<String>,
}

impl Overlays {
    /// Adds `PROGRAM.KEY=VALUE`. The value is JSON, or a text without quotes.
    pub(super) fn add_option(&mut self, text: &str) -> Result<(), Problem> {
        let refuse = |why: &str| {
            Problem::new(format!(
                "--option {text}: {why}; allowed is PROGRAM.KEY=VALUE, where PROGRAM is entrypoint, sidecar, initupload, or \
                 upload for the destination of both, such as sidecar.delivery.memory=33554432"
            ))
        };
        let (path, value) = text.split_once('=').ok_or_else(|| refuse("there is no ="))?;
        let (program, keys) = path.split_once('.').ok_or_else(|| refuse("there is no key"))?;
        let value: Value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        let object = keys.rsplit('.').fold(value, |value, key| json!({ key: value }));
        let flag = format!("--option {text}");
        match program {
            "entrypoint" => self.add_entrypoint(&object, &flag),
            "sidecar" => self.add_sidecar(&object, &flag),
            "initupload" => add::<InitUploadOptions>(&mut self.initupload, &object, &flag),
            "upload" => add::<UploadOptions>(&mut self.upload, &object, &flag),
            _ => Err(refuse("there is no such program")),
        }
    }

    /// Adds options of entrypoint that `flag` stands for.
    pub(super) fn add_entrypoint(&mut self, object: &Value, flag: &str) -> Result<(), Problem> {
        add::<EntrypointOptions>(&mut self.entrypoint, object, flag)
    }

    /// Adds options of sidecar that `flag` stands for.
    pub(super) fn add_sidecar(&mut self, object: &Value, flag: &str) -> Result<(), Problem> {
        add::<SidecarOptions>(&mut self.sidecar, object, flag)
    }

    /// Lays the options over those of entrypoint.
    pub(super) fn over_entrypoint(&self, options: EntrypointOptions) -> EntrypointOptions {
        laid_over(&self.entrypoint, options)
    }

    /// Lays the options over those of sidecar.
    pub(super) fn over_sidecar(&self, options: SidecarOptions) -> SidecarOptions {
        laid_over(&self.sidecar, options)
    }

    /// Lays the options over those of initupload.
    pub(super) fn over_initupload(&self, options: InitUploadOptions) -> InitUploadOptions {
        laid_over(&self.initupload, options)
    }

    /// Lays the options over what both uploading programs share.
    pub(super) fn over_upload(&self, options: UploadOptions) -> UploadOptions {
        laid_over(&self.upload, options)
    }
}

fn add<T: Document + Default>(list: &mut Vec<String>, object: &Value, flag: &str) -> Result<(), Problem> {
    let text = object.to_string();
    let notes = decode(&mut T::default(), &text).map_err(|error| Problem::new(format!("{flag}: {error}")))?;
    if let Some(key) = notes.unknown().next() {
        return Err(Problem::new(format!("{flag}: there is no key {key}")));
    }
    list.push(text);
    Ok(())
}

fn laid_over<T: Document>(list: &[String], mut options: T) -> T {
    for text in list {
        // Each was decoded when it was added, so that it can be decoded again.
        let decoded = decode(&mut options, text);
        debug_assert!(decoded.is_ok(), "{decoded:?}");
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;
    use entrypoint::options::SupervisionOptions;
    use sidecar::options::DeliveryOptions;

    #[test]
    fn options_are_laid_over_and_leave_the_others() {
        let mut overlays = Overlays::default();
        for text in [
            "entrypoint.supervision.signal_scope=group",
            "entrypoint.always_zero=true",
            "sidecar.delivery.memory=33554432",
            "sidecar.censoring_options.strict=true",
            "upload.path_prefix=a/b",
        ] {
            overlays.add_option(text).unwrap_or_else(|problem| panic!("{problem:?}"));
        }
        let given = SidecarOptions {
            delivery: Some(DeliveryOptions { native_sidecar: true, ..DeliveryOptions::default() }),
            ..SidecarOptions::default()
        };
        let laid = overlays.over_sidecar(given);
        let delivery = laid.delivery.expect("kept");
        assert_eq!((delivery.memory, delivery.native_sidecar), (Some(33_554_432), true));
        assert!(laid.censoring_options.is_some_and(|censoring| censoring.strict));
        let entrypoint = overlays.over_entrypoint(EntrypointOptions::default());
        assert!(entrypoint.always_zero);
        assert_ne!(entrypoint.supervision, SupervisionOptions::default());
        assert_eq!(overlays.over_upload(UploadOptions::default()).path_prefix, "a/b");
    }

    #[test]
    fn wrong_options_are_refused_in_the_programs_words() {
        for (text, part) in [
            ("sidecar.delivery.memory=many", "delivery.memory"),
            ("sidecar.delivery.memori=1", "did you mean \"memory\"?"),
            ("entrypoint.supervision.signal_scope=all", "signal_scope"),
            ("sidecars.delivery.memory=1", "no such program"),
            ("sidecar=1", "no key"),
            ("sidecar.delivery", "no ="),
        ] {
            let problem = Overlays::default().add_option(text).expect_err(text);
            assert!(problem.text.contains(part) && problem.text.starts_with("--option"), "{problem:?}");
            assert_eq!(problem.text.lines().count(), 1);
        }
    }
}
