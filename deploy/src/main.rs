//! `podutils`: the operator's tool, for people rather than pods.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`cli`] | the verbs |
//! | [`inject`] | pods, decorated for supervision and delivery |
//! | [`run`] | a job on this machine, the way a pod would run it |
//! | [`say`] | what people read |
//! | [`yaml`] | YAML as Kubernetes reads it |

mod cli;
mod inject;
mod run;
mod say;
mod yaml;

fn main() -> std::process::ExitCode {
    cli::main(std::env::args_os().collect())
}
