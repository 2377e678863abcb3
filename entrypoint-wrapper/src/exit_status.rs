//! The exit status of a step, and its line on stderr (contract 8.11).

use crate::exec::Ended;
use anyhow::Result;
use common::codes;

/// Judges how the command ended and whether the Secret was written: the exit
/// status, and the line for stderr if there is something to say. A failed update
/// never hides the command's own code.
pub(crate) fn of_step(command: &Result<Ended>, update: &Result<()>) -> (u8, Option<String>) {
    let (status, command) = match command {
        Ok(Ended::Exited(0)) => (0, None),
        Ok(ended) => (ended.status(), Some(format!("command failed: {ended}"))),
        Err(problem) => (codes::EXIT_FAILURE, Some(format!("{problem:#}"))),
    };
    let update = update.as_ref().err().map(|problem| format!("secret update failed: {problem:#}"));
    match (command, update) {
        (None, None) => (status, None),
        (Some(command), None) => (status, Some(format!("error: {command}"))),
        (None, Some(update)) => (codes::EXIT_FAILURE, Some(format!("error: {update}"))),
        (Some(command), Some(update)) => (status, Some(format!("error: [{command}, {update}]"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::signal::Signal;

    #[test]
    fn w_98_the_command_s_code_comes_first() {
        let failed = || Err(anyhow::anyhow!("no"));
        let git = || Err(anyhow::anyhow!("git"));
        let judged = |command, update| of_step(&command, &update);
        assert_eq!(judged(Ok(Ended::Exited(0)), Ok(())), (0, None));
        assert_eq!(
            judged(Ok(Ended::Exited(3)), Ok(())),
            (3, Some("error: command failed: exit status 3".into()))
        );
        assert_eq!(
            judged(Ok(Ended::Signaled(Signal::TERM)), Ok(())),
            (143, Some("error: command failed: signal: terminated".into()))
        );
        assert_eq!(
            judged(Ok(Ended::Exited(0)), failed()),
            (1, Some("error: secret update failed: no".into()))
        );
        assert_eq!(
            judged(Ok(Ended::Exited(3)), failed()),
            (3, Some("error: [command failed: exit status 3, secret update failed: no]".into()))
        );
        assert_eq!(judged(git(), Ok(())), (1, Some("error: git".into())));
        assert_eq!(judged(git(), failed()), (1, Some("error: [git, secret update failed: no]".into())));
    }
}
