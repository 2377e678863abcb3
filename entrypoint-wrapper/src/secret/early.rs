//! Handing out a kubeconfig while the command that made it still runs.

use super::Secret;
use crate::stable_file::{Observation, StableFile};
use crate::stderr;
use crate::temp;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// From one round to the next, and from the command's start to the first (W-81).
const ROUND_INTERVAL: Duration = Duration::from_secs(1);

/// The action of one round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Round {
    /// Nothing is there, or somebody is still writing it.
    Nothing,
    /// Write the Secret for the sake of the minimal kubeconfig.
    Minimal,
    /// Write the Secret with the kubeconfig, and be done.
    Full,
}

/// Decides a round. What is not finished is waited for, whichever of the two it
/// is, because the Secret holds the whole directory.
fn decide(minimal_done: bool, minimal: Observation, full: Observation) -> Round {
    let half_written =
        |observation: Observation| observation != Observation::Absent && !observation.is_finished_document();
    if half_written(minimal) || half_written(full) {
        return Round::Nothing;
    }
    match (minimal, full) {
        (Observation::File { .. }, _) if !minimal_done => Round::Minimal,
        (_, Observation::File { .. }) => Round::Full,
        (_, Observation::Absent) => Round::Nothing,
    }
}

/// Uploads of `kubeconfig-minimal` and `kubeconfig` as soon as they are there.
#[derive(Debug)]
pub(crate) struct EarlyUpload {
    dir: PathBuf,
    minimal: StableFile,
    full: StableFile,
    minimal_done: bool,
    last_problem: Option<String>,
}

impl EarlyUpload {
    /// `None` when the directory has a kubeconfig already: it was handed out by
    /// an earlier step (W-80).
    pub(crate) fn unless_known(dir: &Path) -> Option<Self> {
        (!temp::exists(dir, "kubeconfig")).then(|| Self {
            dir: dir.to_owned(),
            minimal: StableFile::new(dir.join("kubeconfig-minimal")),
            full: StableFile::new(dir.join("kubeconfig")),
            minimal_done: false,
            last_problem: None,
        })
    }

    /// Goes on until the kubeconfig is written or the command has ended. An
    /// attempt under way then is finished first: it is bounded by its own
    /// time-out, and abandoned it might be applied after the final update.
    pub(crate) async fn run(mut self, secret: &Secret, mut command_ended: oneshot::Receiver<()>) {
        let mut rounds = interval_at(Instant::now() + ROUND_INTERVAL, ROUND_INTERVAL);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                // Ended or gone: both mean that nobody needs an early upload.
                _ = &mut command_ended => return,
                _ = rounds.tick() => {}
            }
            match decide(self.minimal_done, self.minimal.observe(), self.full.observe()) {
                Round::Nothing => {}
                Round::Minimal => self.minimal_done = self.offer(secret).await,
                Round::Full => {
                    if self.offer(secret).await {
                        return;
                    }
                }
            }
        }
    }

    /// Makes one attempt; reports the same problem only once.
    async fn offer(&mut self, secret: &Secret) -> bool {
        let problem = secret.offer(&self.dir).await.err().map(|error| format!("{error:#}"));
        if let Some(problem) = &problem
            && self.last_problem.as_ref() != Some(problem)
        {
            stderr::line(&format!("warning: early upload of the kubeconfig failed, trying again: {problem}"));
        }
        let done = problem.is_none();
        self.last_problem = problem;
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stable_file::Completeness;

    const ABSENT: Observation = Observation::Absent;
    const WHOLE: Observation = Observation::File { text: Completeness::Whole, unchanged: false };
    const GROWING: Observation = Observation::File { text: Completeness::Plausible, unchanged: false };
    const STEADY: Observation = Observation::File { text: Completeness::Plausible, unchanged: true };
    const BROKEN: Observation = Observation::File { text: Completeness::Broken, unchanged: true };

    #[test]
    fn w_81_the_minimal_one_first_and_nothing_else_in_that_round() {
        assert_eq!(decide(false, ABSENT, ABSENT), Round::Nothing);
        assert_eq!(decide(false, WHOLE, ABSENT), Round::Minimal);
        assert_eq!(decide(false, WHOLE, WHOLE), Round::Minimal);
        assert_eq!(decide(true, WHOLE, ABSENT), Round::Nothing);
        assert_eq!(decide(true, WHOLE, STEADY), Round::Full);
        assert_eq!(decide(false, ABSENT, WHOLE), Round::Full);
    }

    #[test]
    fn w_83_nothing_that_is_half_written_leaves() {
        for half in [GROWING, BROKEN] {
            for done in [false, true] {
                assert_eq!(decide(done, half, WHOLE), Round::Nothing);
                assert_eq!(decide(done, WHOLE, half), Round::Nothing);
                assert_eq!(decide(done, ABSENT, half), Round::Nothing);
            }
        }
    }
}
