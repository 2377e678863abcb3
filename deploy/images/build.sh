#!/usr/bin/env bash
# Builds the programs of this checkout, static and stripped, and their images.
#
#   deploy/images/build.sh [OPTION...] [IMAGE...]
#
# IMAGE is one of entrypoint, sidecar, initupload, gcsupload, entrypoint-wrapper,
# pod-utils (all programs; these six when none is named) and s3-server (for the
# examples). Each becomes PREFIX/IMAGE:TAG in the engine's store.
#
#   --engine docker|podman   default: the one that answers
#   --arch x86_64|aarch64    default: this machine's; the other one is cross-built
#   --prefix PREFIX          default: localhost/pod-utils
#   --tag TAG                default: the version in Cargo.toml
#   --programs DIR           take the programs from DIR; without it they are compiled first
#   --programs-only          build no image; prints the directory of the programs
#   --package PROGRAM        build no other program
#
# The same checkout gives the same programs wherever it lies, and the same programs
# give the same layers. SOURCE_DATE_EPOCH (seconds) is the time of every file in
# them; default: the time of the commit.
#
# Needs cargo, the rustup target (ARCH-unknown-linux-musl) and musl-tools; for
# aarch64 on x86_64 gcc-aarch64-linux-gnu and libc6-dev-arm64-cross.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

usage() { sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2; exit 2; }
fail() { printf 'build.sh: %s\n' "$1" >&2; exit 1; }

engine= arch=$(uname -m) prefix=localhost/pod-utils tag= programs= packages=() images=() make_images=1
while [ $# -gt 0 ]; do
  case $1 in
    --engine) engine=${2:?}; shift ;;
    --arch) arch=${2:?}; shift ;;
    --prefix) prefix=${2:?}; shift ;;
    --tag) tag=${2:?}; shift ;;
    --programs) programs=$(cd "${2:?}" && pwd); shift ;;
    --programs-only) make_images= ;;
    --package) packages+=("${2:?}"); shift ;;
    entrypoint | sidecar | initupload | gcsupload | entrypoint-wrapper | pod-utils | s3-server) images+=("$1") ;;
    *) usage ;;
  esac
  shift
done
[ "${#images[@]}" -gt 0 ] || images=(entrypoint sidecar initupload gcsupload entrypoint-wrapper pod-utils)
case $arch in
  x86_64) platform=linux/amd64 ;;
  aarch64) platform=linux/arm64 ;;
  *) fail "--arch $arch: allowed is x86_64 or aarch64" ;;
esac
[ "${#packages[@]}" -gt 0 ] || packages=(entrypoint sidecar entrypoint-wrapper podutils)
for package in "${packages[@]}"; do
  case $package in
    entrypoint | sidecar | entrypoint-wrapper | podutils) ;;
    *) fail "--package $package: allowed is entrypoint, sidecar, entrypoint-wrapper or podutils" ;;
  esac
done
wanted() { [[ " ${images[*]} " == *" $1 "* ]]; }

# Where there is no history (an unpacked archive) any fixed time will do.
epoch=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct 2>/dev/null || echo 0)}
revision=$(git -C "$root" rev-parse HEAD 2>/dev/null || echo unknown)
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -n 1)
tag=${tag:-$version}

# Neither where the checkout lies nor where cargo keeps its sources may show.
build_programs() {
  local triple=$arch-unknown-linux-musl cargo_home=${CARGO_HOME:-$HOME/.cargo} remap
  export "CFLAGS_${triple//-/_}=-ffile-prefix-map=$cargo_home=/cargo -ffile-prefix-map=$root=/pod-utils"
  if [ "$arch" != "$(uname -m)" ]; then
    [ "$arch" = aarch64 ] || fail "no cross compiler is known for $arch on $(uname -m)"
    # Only ring has C code; it needs a compiler, not a C library for the target.
    export CC_aarch64_unknown_linux_musl=aarch64-linux-gnu-gcc
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER=aarch64-linux-gnu-gcc
  fi
  remap="[\"--remap-path-prefix=$cargo_home=/cargo\", \"--remap-path-prefix=$root=/pod-utils\"]"
  local cargo=(cargo build --locked --target "$triple" --config "target.'cfg(target_env = \"musl\")'.rustflags=$remap")
  local target=${CARGO_TARGET_DIR:-$root/target}
  printf 'build.sh: compiling for %s; this takes minutes unless nothing has changed\n' "$triple" >&2
  programs=$target/$triple/shipped
  mkdir -p "$programs"
  # sidecar survives a panic in a transfer, which takes tables for unwinding; the
  # programs that are copied into every pod abort.
  local profile program names
  for profile in dist dist-unwind; do
    names=()
    for program in "${packages[@]}"; do
      case $profile/$program in
        dist/entrypoint | dist/entrypoint-wrapper | dist-unwind/sidecar | dist-unwind/podutils) names+=("$program") ;;
      esac
    done
    [ "${#names[@]}" -gt 0 ] || continue
    (cd "$root" && "${cargo[@]}" --profile "$profile" "${names[@]/#/--package=}") >&2
    for program in "${names[@]}"; do cp "$target/$triple/$profile/$program" "$programs/"; done
  done
  if wanted s3-server; then
    # By sidecar's profile, because they share dependencies.
    (cd "$root" && "${cargo[@]}" --profile dist-unwind --package pod-utils-tests --bin s3-server) >&2
    # Beside the others, so that --programs finds it.
    cp "$target/$triple/dist-unwind/s3-server" "$programs/s3-server"
  fi
}
[ -n "$programs" ] || build_programs
if [ -z "$make_images" ]; then printf '%s\n' "$programs"; exit 0; fi

if [ -z "$engine" ]; then
  for engine in docker podman none; do "$engine" info >/dev/null 2>&1 && break; done
fi
case $engine in docker | podman) ;; *) fail 'no engine: neither docker nor podman answers; --engine says which to use' ;; esac

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
cp "$root/deploy/images/Containerfile" "$context/"

# A root file system with a /tmp for everyone and the licences; then FILE=PATH for a program and
# TARGET>PATH for a symbolic link.
root_of() { # image, what...
  local image=$1 dir=$context/$1 what path; shift
  mkdir -p "$dir/tmp" "$dir/licenses"
  install -m 0644 "$root/LICENSE" "$root/deploy/licenses/third-party.txt" "$dir/licenses/"
  for what in "$@"; do
    path=$dir${what##*[=>]}
    mkdir -p "$(dirname "$path")"
    case $what in
      *'>'*) ln -s "${what%%>*}" "$path" ;;
      *) install -m 0755 "$programs/${what%%=*}" "$path" ;;
    esac
  done
  find "$dir" -type d -exec chmod 0755 {} +
  chmod 1777 "$dir/tmp"
  # The members are named, so that the root itself is none: its mode is the engine's.
  (cd "$dir" && printf '%s\0' * | tar --null --files-from=- --create --file="$context/$image.tar" --format=gnu \
    --sort=name --mtime="@$epoch" --owner=0 --group=0 --numeric-owner)
  rm -rf "$dir"
}
# Upstream's images are made by ko; whoever names a path in them uses /ko-app.
root_of entrypoint entrypoint=/entrypoint '../entrypoint>/ko-app/entrypoint'
root_of sidecar sidecar=/sidecar '../sidecar>/ko-app/sidecar'
root_of initupload sidecar=/initupload '../initupload>/ko-app/initupload'
root_of gcsupload sidecar=/gcsupload '../gcsupload>/ko-app/gcsupload'
root_of entrypoint-wrapper entrypoint-wrapper=/bin/entrypoint-wrapper 'entrypoint-wrapper>/bin/cp'
root_of pod-utils entrypoint=/entrypoint sidecar=/sidecar 'sidecar>/initupload' 'sidecar>/gcsupload' \
  entrypoint-wrapper=/entrypoint-wrapper podutils=/podutils
if wanted s3-server; then root_of s3-server s3-server=/s3-server; else : >"$context/s3-server.tar"; fi

about() {
  case $1 in
    entrypoint) echo 'Runs a test command: timeout, interrupts, output, marker file' ;;
    sidecar) echo 'Delivers logs, artifacts and the result of a job, without its secrets' ;;
    initupload) echo 'Says in the bucket that a job has started' ;;
    gcsupload) echo 'Uploads files of a job' ;;
    entrypoint-wrapper) echo 'Forwards signals to the command it wraps; shares files between the steps of ci-operator' ;;
    pod-utils) echo 'All programs of pod-utils' ;;
    s3-server) echo 'An S3 server for the examples of pod-utils' ;;
  esac
}
for image in "${images[@]}"; do
  # The same as annotations, which registries show; docker's classic builder has none.
  label() {
    labels+=(--label "org.opencontainers.image.$1=$2")
    [ "$engine" = docker ] || labels+=(--annotation "org.opencontainers.image.$1=$2")
  }
  labels=()
  label title "$image"
  label description "$(about "$image")"
  label version "$version"
  label revision "$revision"
  label created "$(date --utc --date="@$epoch" +%Y-%m-%dT%H:%M:%SZ)"
  label licenses Apache-2.0
  # The engines' caches do not look at the times of files: a layer from there would
  # have those of the commit it was made for.
  options=(--quiet --no-cache --file "$context/Containerfile" --target "$image" --platform "$platform" --tag "$prefix/$image:$tag" "${labels[@]}")
  # With podman the whole image repeats, not only its layer; docker writes its own time.
  [ "$engine" = docker ] || options+=(--timestamp "$epoch")
  # Docker's classic builder warns of its own end each time.
  "$engine" build "${options[@]}" "$context" >"$context/build.log" 2>&1 || { cat "$context/build.log" >&2; fail "$image cannot be built"; }
  layers=$("$engine" image inspect --format '{{range .RootFS.Layers}}{{.}} {{end}}' "$prefix/$image:$tag")
  printf '%s %s\n' "$prefix/$image:$tag" "$layers"
done
