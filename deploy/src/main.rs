//! `podutils`: the operator's tool, for people rather than pods.
//!
//! [`cli`] knows the subcommands, and each subcommand has a module of its name. They share
//! [`results`] (reading results, wherever they are), [`yaml`] (YAML as Kubernetes
//! reads it), [`terminal`] (what people read) and [`escape`] (hostile text in it).

mod censor;
mod cli;
mod completions;
mod escape;
mod explain;
mod inject;
mod results;
mod run;
mod show;
mod terminal;
mod verify;
mod yaml;

fn main() -> std::process::ExitCode {
    cli::main(std::env::args_os().collect())
}
