//! The program `entrypoint`; everything is in the library.

use entrypoint::shell::Arena;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: Arena = Arena::new();

fn main() -> ExitCode {
    if let Err(error) = entrypoint::shell::block_signals() {
        eprintln!("entrypoint: could not block signals: {error}");
        return ExitCode::FAILURE;
    }
    entrypoint::run(std::env::args_os().skip(1))
}
