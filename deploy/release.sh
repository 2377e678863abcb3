#!/usr/bin/env bash
# Makes the files of a release, the same bytes wherever the checkout lies.
#
#   deploy/release.sh VERSION [OPTION...]
#
#   --out DIR        default: pod-utils-VERSION in the target directory; it is made anew
#   --prefix PREFIX  where the images will be pushed, for the names in the manifests;
#                    default: registry.example/pod-utils
#   --arch ARCH      x86_64 or aarch64, repeatable; default: both. This machine's must be there
#   --programs DIR   take the programs from DIR/ARCH; without it they are compiled first
#   --again DIR      make everything once more from a clone in DIR, and compare: what was
#                    compiled there before is used again
#
# VERSION is the one in Cargo.toml, and nothing may be uncommitted. SOURCE_DATE_EPOCH
# (seconds) is the time of every file; default: the time of the commit.
#
# Needs what images/build.sh needs for both architectures, podman, zstd, python3 and
# `cargo install --locked cargo-cyclonedx`.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

usage() { sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2; exit 2; }
fail() { printf 'release.sh: %s\n' "$1" >&2; exit 1; }
say() { printf 'release.sh: %s\n' "$1" >&2; }

version= out= prefix=registry.example/pod-utils given= again= arches=() same=()
while [ $# -gt 0 ]; do
  case $1 in
    --out) out=${2:?}; shift ;;
    --prefix) prefix=${2:?}; same+=("$1" "$2"); shift ;;
    --arch) arches+=("${2:?}"); same+=("$1" "$2"); shift ;;
    --programs) given=$(cd "${2:?}" && pwd); same+=("$1" "$given"); shift ;;
    --again) again=${2:?}; shift ;;
    -*) usage ;;
    *) [ -z "$version" ] || usage; version=$1 ;;
  esac
  shift
done
[ -n "$version" ] || usage
[ "${#arches[@]}" -gt 0 ] || arches=(x86_64 aarch64)
for arch in "${arches[@]}"; do
  case $arch in x86_64 | aarch64) ;; *) fail "--arch $arch: allowed is x86_64 or aarch64" ;; esac
done
[[ " ${arches[*]} " == *" $(uname -m) "* ]] || fail "--arch $(uname -m) is needed too: this machine's podutils writes the manual pages"

# What a release promises can be wrong in three ways before anything is made.
declared=$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -n 1)
[ "$version" = "$declared" ] || fail "$version is not the version in Cargo.toml, which is $declared"
[ -z "$(git -C "$root" status --porcelain)" ] || fail 'something is not committed; a release is made of a commit'
grep -q "^### $version\$" "$root/deploy/README.md" || fail "deploy/README.md does not say what changed in $version"
missing=()
for tool in podman zstd python3 cargo-cyclonedx; do command -v "$tool" >/dev/null || missing+=("$tool"); done
[ "${#missing[@]}" = 0 ] || fail "missing: ${missing[*]}"

export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct)}
# The remapped cargo home and the locale may not differ between two machines.
export LC_ALL=C TZ=UTC
umask 022
out=${out:-${CARGO_TARGET_DIR:-$root/target}/pod-utils-$version}
rm -rf "$out"
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A store of its own: no image of another run is found in it, and none is left behind.
printf '[storage]\ndriver = "vfs"\nrunroot = "%s/run"\ngraphroot = "%s/store"\n' "$work" "$work" >"$work/storage.conf"
export CONTAINERS_STORAGE_CONF=$work/storage.conf

# An archive with fixed times, owners and order. One thread, because several would cut
# the input at other places.
pack() { # archive, directory, what in it...
  local archive=$1 directory=$2; shift 2
  tar --create --directory="$directory" --format=gnu --sort=name --mtime="@$SOURCE_DATE_EPOCH" \
    --owner=0 --group=0 --numeric-owner --mode=u+rw,go+r,go-w "$@" |
    if [[ $archive == *.zst ]]; then zstd --quiet --single-thread -19; else cat; fi >"$out/$archive"
}

programs_of() { # architecture
  if [ -n "$given" ]; then printf '%s\n' "$given/$1"; else "$root/deploy/images/build.sh" --programs-only --arch "$1"; fi
}
declare -A programs
for arch in "${arches[@]}"; do programs[$arch]=$(programs_of "$arch"); done
podutils=${programs[$(uname -m)]}/podutils

say 'programs, completions, manual pages, licences'
for arch in "${arches[@]}"; do
  name=pod-utils-$version-$arch
  dir=$work/programs/$name
  mkdir -p "$dir/bin" "$dir/licenses"
  for program in entrypoint sidecar entrypoint-wrapper podutils; do
    install -m 0755 "${programs[$arch]}/$program" "$dir/bin/"
  done
  ln -s sidecar "$dir/bin/initupload"
  ln -s sidecar "$dir/bin/gcsupload"
  for shell in bash zsh fish; do "$podutils" completions "$shell" --dir "$dir/completions/$shell"; done
  "$podutils" man --dir "$dir/man/man1"
  install -m 0644 "$root/LICENSE" "$root/deploy/licenses/third-party.txt" "$dir/licenses/"
  pack "$name.tar.zst" "$work/programs" "$name"
done

# Sets the annotations of the index that an OCI layout consists of, and prints its
# digest. An engine of today cannot annotate an index.
annotated() { # layout, image
  python3 - "$1" "$2" "$version" <<'PYTHON'
import hashlib, json, pathlib, sys
layout, image, version = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
blob = lambda descriptor: layout / "blobs" / descriptor["digest"].replace(":", "/")
[old] = json.loads((layout / "index.json").read_text())["manifests"]
index = json.loads(blob(old).read_text())
first = json.loads(blob(index["manifests"][0]).read_text())
# An image made from nothing has no base, whatever the engine says.
index["annotations"] = {k: v for k, v in first["annotations"].items() if ".base." not in k}
assert index["annotations"]["org.opencontainers.image.title"] == image, first
blob(old).unlink()
text = json.dumps(index, sort_keys=True).encode()
new = {"mediaType": index["mediaType"], "digest": "sha256:" + hashlib.sha256(text).hexdigest(), "size": len(text)}
blob(new).write_bytes(text)
new["annotations"] = {"org.opencontainers.image.ref.name": version}
(layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [new]}, sort_keys=True))
print(new["digest"])
PYTHON
}

say 'images'
images=(entrypoint sidecar initupload gcsupload entrypoint-wrapper pod-utils)
for arch in "${arches[@]}"; do
  "$root/deploy/images/build.sh" --engine podman --arch "$arch" --programs "${programs[$arch]}" \
    --prefix localhost/release --tag "$arch" "${images[@]}" >/dev/null
done
pins=()
mkdir "$work/oci"
for image in "${images[@]}"; do
  podman manifest create "localhost/release/$image:all" >/dev/null
  for arch in "${arches[@]}"; do
    podman manifest add "localhost/release/$image:all" "containers-storage:localhost/release/$image:$arch" >/dev/null
  done
  podman manifest push --quiet --all --format oci "localhost/release/$image:all" "oci:$work/oci/$image:$version" >/dev/null
  digest=$(annotated "$work/oci/$image" "$image")
  pins+=(-e "s#registry\.example/pod-utils/$image:$version\b#$prefix/$image:$version@$digest#g")
  pack "pod-utils-$version-$image.oci.tar" "$work/oci/$image" blobs index.json oci-layout
done

say 'manifests'
name=pod-utils-$version-manifests
mkdir -p "$work/manifests/$name"
git -C "$root" archive HEAD deploy/kubernetes deploy/kustomize deploy/helm deploy/prow |
  tar --extract --directory="$work/manifests/$name" --strip-components=1
find "$work/manifests" -type f -exec sed -i "${pins[@]}" -e "s#registry\.example/pod-utils#$prefix#g" {} +
find "$work/manifests" -name '*.yaml' -exec sed -i "s#^\( *\)image-prefix: .*#&\n\1image-tag: $version#" {} +
pack "$name.tar.zst" "$work/manifests" "$name"

say 'bills of materials'
mkdir "$work/source"
git -C "$root" archive HEAD | tar --extract --directory="$work/source"
for arch in "${arches[@]}"; do
  cargo cyclonedx --quiet --format json --spec-version 1.5 --target "$arch-unknown-linux-musl" --manifest-path "$work/source/Cargo.toml"
  for program in entrypoint sidecar entrypoint-wrapper podutils; do
    # Where the copy lay is part of its crates' identifiers.
    sed "s#file://$work/source#file:///pod-utils#g" "$work"/source/*/"$program.cdx.json" >"$out/pod-utils-$version-$arch-$program.cdx.json"
  done
done

(cd "$out" && sha256sum -- * >"$work/SHA256SUMS" && mv "$work/SHA256SUMS" .)
printf '%s\n' "$out"

if [ -n "$again" ]; then
  say "once more in $again"
  [ -e "$again" ] || git clone --quiet "$root" "$again"
  git -C "$again" fetch --quiet "$root" HEAD
  git -C "$again" checkout --quiet --detach FETCH_HEAD
  second=$(env -u CARGO_TARGET_DIR "$again/deploy/release.sh" "$version" "${same[@]}")
  diff "$out/SHA256SUMS" "$second/SHA256SUMS" >&2 || fail "the files of $second are others"
  say "$second holds the same bytes"
fi
