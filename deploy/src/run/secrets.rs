//! The secrets of `--secrets`, looked at before the job begins: what cannot be
//! masked afterwards cannot be taken back.

use crate::terminal::{self, Problem};
use job_page::escape::visible;
use sidecar::censor::{Censor, CensoringOptions, Secrets};

/// The options of sidecar for these directories.
pub(super) fn options(directories: &[String], strict: bool) -> CensoringOptions {
    CensoringOptions { secret_directories: directories.to_vec(), strict, ..CensoringOptions::default() }
}

/// Says which secrets will not be masked; with `strict` that is refused.
pub(super) fn check(options: &CensoringOptions) -> Result<(), Problem> {
    let complaints = complaints(options);
    if let Some(first) = complaints.first().filter(|_| options.strict) {
        let more = match complaints.len() - 1 {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        return Err(Problem::new(format!("--strict: {first}{more}; nothing was started")));
    }
    for complaint in complaints {
        terminal::line(&format!("warning: {complaint}"));
    }
    Ok(())
}

fn complaints(options: &CensoringOptions) -> Vec<String> {
    let mut secrets = Secrets::new(options, &[]);
    secrets.read();
    let censor = Censor::new(&secrets, options, 1);
    let lost = censor.problems().iter().map(|problem| {
        let (path, reason) = (visible(&problem.path), visible(&problem.reason));
        format!("the secret {path} cannot be loaded and is not masked: {reason}")
    });
    let short = censor
        .unmasked()
        .iter()
        .map(|path| format!("the secret {} is too short to be masked, or a boolean", visible(path)));
    lost.chain(short).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_that_would_not_be_masked_are_named_and_refused_under_strict() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("good"), "hunter2-hunter2").expect("written");
        std::fs::write(dir.path().join("boolean"), "true").expect("written");
        std::fs::create_dir(dir.path().join("config.json")).expect("made");
        let given = |strict| options(&[dir.path().display().to_string()], strict);
        let found = complaints(&given(false));
        assert!(found.iter().any(|text| text.contains("boolean is too short")), "{found:?}");
        assert!(found.iter().all(|text| !text.contains("hunter2") && !text.contains("good")), "{found:?}");
        assert!(check(&given(false)).is_ok());
        let refused = check(&given(true)).expect_err("refused");
        assert!(refused.text.starts_with("--strict: the secret "), "{refused:?}");
        assert_eq!(refused.status, 1);
        std::fs::remove_file(dir.path().join("boolean")).expect("removed");
        assert!(check(&options(&[], true)).is_ok());
    }
}
