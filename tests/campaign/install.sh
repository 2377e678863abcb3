# Frame of the campaigns' install.sh, which source it: the packages of the system that
# are missing, and then parts side by side, each into a directory of its own kind.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[1]}")" && pwd)

# begin DIRECTORY [full]: sets `dir`, absolute and there, and `full`.
begin() {
  mkdir -p "$1"
  dir=$(cd "$1" && pwd)
  full=${2:-}
}

# want COMMAND PACKAGE: PACKAGE is needed where COMMAND is not.
need=()
want() { command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] || need+=("$2"); }

# install_packages: those that are needed. In runlevel 1 no package starts a server.
install_packages() {
  [ "${#need[@]}" -gt 0 ] || return 0
  local sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
  $sudo apt-get update -qq
  $sudo env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get install -y -qq --no-install-recommends "${need[@]}" >/dev/null
}

# python: a virtual environment with the pinned packages, those of `full` too.
python() {
  python3 -m venv "$dir/py"
  local pip=("$dir/py/bin/pip" install --quiet --disable-pip-version-check)
  "${pip[@]}" -r "$here/tools/requirements.txt"
  if [ "$full" = full ] && [ -e "$here/tools/requirements-full.txt" ]; then
    "${pip[@]}" -r "$here/tools/requirements-full.txt"
  fi
}

# npm_install PACKAGE...: quietly; without a name what package.json pins.
npm_install() { npm install --silent --no-audit --no-fund --no-package-lock "$@"; }

# run_parts PART...: runs these functions side by side. One that was run with the same
# pins is not run again; one that fails fails the installation, when all have ended.
run_parts() {
  local part pids=() failed=0 pid state
  state=$(find "$here/install.sh" "$here/tools" "${sources[@]}" -type f -print0 |
    sort -z | xargs -0 cat | sha256sum | cut -c1-16)
  for part in "$@"; do
    [ -e "$dir/.$part$full-$state" ] && continue
    ( set -e; "$part"; touch "$dir/.$part$full-$state" ) & pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
  return "$failed"
}

# Files beside install.sh and tools/ of which something is built.
sources=()
