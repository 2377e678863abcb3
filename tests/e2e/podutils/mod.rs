//! podutils: jobs on this machine, pods to be, results to look at.

mod alone;
mod censor;
mod completions;
mod deliver;
mod follow;
mod history;
mod inject;
mod licenses;
mod limits;
pub(crate) mod run;
mod run_flags;
mod run_mistakes;
mod run_outages;
mod show;
mod test_results;
mod webhook;
mod webhook_certificate;
