//! `podutils`: the operator's tool, for people rather than pods.
//!
//! [`cli`] knows the verbs, and each verb has a module of its name. They share
//! [`place`] (reading results, wherever they are), [`yaml`] (YAML as Kubernetes
//! reads it), [`say`] (what people read) and [`inert`] (hostile text in it).

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
