//! The program `entrypoint`; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Err(error) = entrypoint::shell::block_signals() {
        eprintln!("entrypoint: could not block signals: {error}");
        return ExitCode::FAILURE;
    }
    entrypoint::run(std::env::args_os().skip(1))
}
