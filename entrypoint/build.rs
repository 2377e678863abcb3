//! Leaves the tables for unwinding out of the shipped program: a tenth of its size.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=no_unwind_tables.ld");
    let variable = |name| std::env::var(name).unwrap_or_default();
    // TARGET_DIR/TRIPLE/PROFILE/build/PACKAGE/out. Cargo tells a build script neither the
    // profile's name nor its panic strategy; `dist` is the one that aborts.
    let out = variable("OUT_DIR");
    let profile = Path::new(&out).ancestors().nth(3).and_then(Path::file_name);
    if variable("CARGO_CFG_TARGET_ENV") == "musl" && profile.is_some_and(|profile| profile == "dist") {
        let script = Path::new(&variable("CARGO_MANIFEST_DIR")).join("no_unwind_tables.ld");
        println!("cargo::rustc-link-arg-bin=entrypoint=-Wl,--no-eh-frame-hdr,-T,{}", script.display());
    }
}
