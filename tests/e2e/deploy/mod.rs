//! The examples of `deploy/` as they lie there.

mod buildkite;
mod compose;
mod images;
mod kube_play;
mod manifests;
mod release;
