//! `podutils licenses`: the licences of the libraries that the programs contain, as
//! `deploy/licenses/generate.sh` wrote them.

use crate::terminal::{self, Problem};
use clap::{ArgMatches, Command};

/// The licences, each with the libraries that are under it.
const THIRD_PARTY: &str = include_str!("../licenses/third-party.txt");

/// The definition of `podutils licenses`.
pub(crate) fn command() -> Command {
    Command::new("licenses")
        .about("Prints the licences of the libraries that the programs contain")
        .after_help("Example:\n  podutils licenses | less")
}

/// Runs `podutils licenses`.
pub(crate) fn run(_matches: &ArgMatches) -> Result<u8, Problem> {
    terminal::print(THIRD_PARTY.as_bytes())?;
    Ok(0)
}
