//! sidecar, initupload and gcsupload: what reaches a store, and what does not.

mod archive_tools;
mod censoring;
mod checkpoints;
mod credentials;
mod gcsupload;
mod gzip_names;
mod hostile_files;
mod hostile_links;
mod hostile_names;
mod initupload;
mod internal_errors;
mod leak_hunt;
mod local_space;
pub(crate) mod option_errors;
mod outages;
mod own_credentials;
mod progress;
mod refusing_stores;
mod restarts;
mod store_answers;
mod store_emulators;
mod store_faults;
mod store_requests;
mod store_writes;
mod termination;
mod test_reports;
mod upstream_vectors;
