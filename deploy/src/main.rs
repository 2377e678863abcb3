//! The program `podutils`; everything is in the library of the same name.

fn main() -> std::process::ExitCode {
    podutils::run(std::env::args_os().collect())
}
