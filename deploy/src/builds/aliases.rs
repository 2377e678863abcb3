//! Aliases: objects that name the folder of a presubmit's build, which lies with its pull request.

use crate::results::Results;
use sidecar::io::store::StoreError;

/// The folder of the folders of aliases, one for each job.
const ALIASES: &str = "pr-logs/directory";

/// An address; no key is longer than a KiB.
const MAX_ALIAS_BYTES: usize = 2048;

/// The destination of the runs whose aliases lie in `pr-logs/directory/JOB`.
pub(crate) struct Runs {
    pub(crate) root: Results,
    /// As the addresses in aliases begin.
    address: String,
}

impl Runs {
    /// `None` for a folder that has another name.
    pub(crate) fn of(results: &Results) -> Option<Self> {
        let place = results.display();
        let job = place.rsplit('/').next()?;
        let root = results.above(&format!("{ALIASES}/{job}"))?;
        let address = without_file_scheme(&root.display()).to_owned();
        Some(Self { root, address })
    }

    /// Returns the folder of a build, below the root, from its alias in `folder`. One that leads
    /// elsewhere is not followed.
    pub(crate) async fn folder(&self, folder: &Results, id: &str) -> anyhow::Result<Option<String>> {
        match folder.text(&format!("{id}.txt"), MAX_ALIAS_BYTES).await {
            Err(error @ StoreError::Transient(_)) => Err(error.into()),
            Err(StoreError::Setup(_) | StoreError::Setting(_) | StoreError::Permanent(_)) | Ok(None) => {
                Ok(None)
            }
            Ok(Some(text)) => Ok(self.below(text.trim())),
        }
    }

    /// Returns the rest of an address that lies below.
    fn below(&self, address: &str) -> Option<String> {
        let below = without_file_scheme(address).strip_prefix(&self.address)?.strip_prefix('/')?;
        let below = below.trim_end_matches('/');
        (!below.is_empty()).then(|| below.to_owned())
    }
}

/// Both forms of a directory's address become its path.
fn without_file_scheme(address: &str) -> &str {
    address.strip_prefix("file://").unwrap_or(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_aliases_below_the_same_root_are_followed() {
        let open = |text: &str| {
            let destination = sidecar::destination::Destination::parse(text).expect("a destination");
            Results::open(destination, sidecar::destination::Credentials::default()).expect("opened")
        };
        let runs = Runs::of(&open("file:///r/pr-logs/directory/unit")).expect("aliases");
        let run = "pr-logs/pull/o_r/1/unit/7";
        assert_eq!(runs.below(&format!("file:///r/{run}")).as_deref(), Some(run));
        assert_eq!(runs.below(&format!("/r/{run}/")).as_deref(), Some(run));
        for other in ["file:///elsewhere/7", "gs://r/7", "/r", "/rr/7", "file:///r/", ""] {
            assert_eq!(runs.below(other), None, "{other}");
        }
        assert!(Runs::of(&open("file:///r/logs/unit")).is_none());
    }
}
