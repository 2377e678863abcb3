//! See the library of the same name.

fn main() -> std::process::ExitCode {
    entrypoint_wrapper::run(std::env::args_os().collect())
}
