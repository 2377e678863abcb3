//! `podutils`: the operator's tool, for people rather than pods.
//!
//! [`cli`] knows the subcommands, and each subcommand has a module of its name. They share
//! [`results`] (reading results, wherever they are), [`yaml`] (YAML as Kubernetes
//! reads it), [`terminal`] (what people read) and [`escape`] (hostile text in it).
//! [`contained`] starts the programs that `podutils run` needs.

mod censor;
mod cli;
mod completions;
mod contained;
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
    let args: Vec<_> = std::env::args_os().collect();
    contained::run(&args).unwrap_or_else(|| cli::main(args))
}
