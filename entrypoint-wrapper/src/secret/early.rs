//! Handing out a kubeconfig while the command that made it still runs.

use super::Secret;
use crate::say;
use crate::sighting::{Sighting, Watched};
use crate::temp;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// From one round to the next, and from the command's start to the first (W-81).
const BETWEEN_ROUNDS: Duration = Duration::from_secs(1);

/// What a round does.
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
fn decide(minimal_done: bool, minimal: Sighting, full: Sighting) -> Round {
    let half_written = |sighting: Sighting| sighting != Sighting::Absent && !sighting.is_finished_document();
    if half_written(minimal) || half_written(full) {
        return Round::Nothing;
    }
    match (minimal, full) {
        (Sighting::File { .. }, _) if !minimal_done => Round::Minimal,
        (_, Sighting::File { .. }) => Round::Full,
        (_, Sighting::Absent) => Round::Nothing,
    }
}

/// Uploads of `kubeconfig-minimal` and `kubeconfig` as soon as they are there.
#[derive(Debug)]
pub(crate) struct EarlyUpload {
    dir: PathBuf,
    minimal: Watched,
    full: Watched,
    minimal_done: bool,
    last_problem: Option<String>,
}

impl EarlyUpload {
    /// `None` when the directory has a kubeconfig already: it was handed out by
    /// an earlier step (W-80).
    pub(crate) fn unless_known(dir: &Path) -> Option<Self> {
        (!temp::exists(dir, "kubeconfig")).then(|| Self {
            dir: dir.to_owned(),
            minimal: Watched::new(dir.join("kubeconfig-minimal")),
            full: Watched::new(dir.join("kubeconfig")),
            minimal_done: false,
            last_problem: None,
        })
    }

    /// Goes on until the kubeconfig is written or the command has ended. An
    /// attempt under way then is finished first: it is bounded by its own
    /// time-out, and abandoned it might be applied after the final update.
    pub(crate) async fn run(mut self, secret: &Secret, mut command_ended: oneshot::Receiver<()>) {
        let mut rounds = interval_at(Instant::now() + BETWEEN_ROUNDS, BETWEEN_ROUNDS);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                // Ended or gone: both mean that nobody needs an early upload.
                _ = &mut command_ended => return,
                _ = rounds.tick() => {}
            }
            match decide(self.minimal_done, self.minimal.look(), self.full.look()) {
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

    /// One attempt; the same problem is told once.
    async fn offer(&mut self, secret: &Secret) -> bool {
        let problem = secret.offer(&self.dir).await.err();
        if let Some(problem) = &problem
            && self.last_problem.as_ref() != Some(problem)
        {
            say(&format!("warning: early upload of the kubeconfig failed, trying again: {problem}"));
        }
        let done = problem.is_none();
        self.last_problem = problem;
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sighting::Text;

    const ABSENT: Sighting = Sighting::Absent;
    const WHOLE: Sighting = Sighting::File { text: Text::Whole, steady: false };
    const GROWING: Sighting = Sighting::File { text: Text::Plausible, steady: false };
    const STEADY: Sighting = Sighting::File { text: Text::Plausible, steady: true };
    const BROKEN: Sighting = Sighting::File { text: Text::Broken, steady: true };

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
