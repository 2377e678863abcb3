//! Looks at a store with the provider's own client, which shares no code with ours.

use harness::process;
use harness::stores::{Api, BUCKET, Server, found};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::Command;

/// Objects by their keys.
pub(crate) type Objects = BTreeMap<String, Value>;

#[track_caller]
fn client(server: &Server, args: &[&str]) -> String {
    let api = match server.kind.api() {
        Api::S3 => "S3",
        Api::Google => "Google",
        Api::Azure => "Azure",
    };
    let (access, secret) = server.kind.keys();
    let place =
        json!({"api": api, "endpoint": server.endpoint(), "bucket": BUCKET, "keys": [access, secret]});
    let mut command = Command::new(found("python3").unwrap());
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/campaign/stores/tools/client.py"));
    command.arg(place.to_string()).args(args);
    let ended = process::start(server.pod().tree(), &mut command).wait_for(super::LONG);
    ended.expect_code(0);
    ended.stdout
}

/// Creates the bucket, where it is not there.
pub(crate) fn create(server: &Server) {
    client(server, &["create"]);
}

/// Size, SHA-256, type, encoding and metadata of all objects below a prefix.
pub(crate) fn described(server: &Server, prefix: &str) -> Objects {
    serde_json::from_str(&client(server, &["read", prefix])).expect("JSON")
}

/// An object's text; empty when there is none.
pub(crate) fn text(server: &Server, key: &str) -> String {
    client(server, &["text", key])
}
