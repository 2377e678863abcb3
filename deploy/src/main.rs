//! `podutils`: the operator's tool, for people rather than pods.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`cli`] | the verbs |
//! | [`censor`] | masking of secrets as a filter |
//! | [`inject`] | pods, decorated for supervision and delivery |
//! | [`run`] | a job on this machine, the way a pod would run it |
//! | [`show`], [`verify`] | what happened to a job, and whether its results are what was delivered |
//! | [`explain`] | what options mean |
//! | [`completions`] | for shells and for man |
//! | [`place`] | reading results, wherever they are |
//! | [`say`], [`inert`] | what people read, and hostile text in it |
//! | [`yaml`] | YAML as Kubernetes reads it |

mod censor;
mod cli;
mod completions;
mod explain;
mod inert;
mod inject;
mod place;
mod run;
mod say;
mod show;
mod verify;
mod yaml;

fn main() -> std::process::ExitCode {
    cli::main(std::env::args_os().collect())
}
