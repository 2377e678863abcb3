#!/usr/bin/env bash
# Writes third-party.txt beside this file: the licences of all libraries that the
# shipped programs contain, each text once. `podutils licenses` and the images carry it.
#
# Run it when Cargo.lock has changed (the test `every_library_has_its_licence` says
# so). Needs python3 and `cargo install --locked cargo-about --features cli`.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

cargo about generate --config "$here/about.toml" --manifest-path "$here/../Cargo.toml" --format json --locked --offline |
  python3 "$here/texts.py" >"$here/third-party.txt"
