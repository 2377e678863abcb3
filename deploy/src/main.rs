//! `podutils`: the operator's tool, for people rather than pods.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`cli`] | the verbs |
//! | [`run`] | a job on this machine, the way a pod would run it |
//! | [`say`] | what people read |

mod cli;
mod run;
mod say;

fn main() -> std::process::ExitCode {
    cli::main(std::env::args_os().collect())
}
