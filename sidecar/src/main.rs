//! The program `sidecar`; everything is in the library of the same name.

use std::process::ExitCode;

fn main() -> ExitCode {
    sidecar::run(std::env::args_os())
}
