#!/usr/bin/env bash
# The tests of the compose example with compose 2, built from its source as the Go
# module proxy has it (about five minutes on two cores), as `docker compose`.
#
# Not part of the continuous integration, because of the building. It needs Go, a
# docker engine, and in POD_UTILS_STATIC_DIR the programs as
# `deploy/images/build.sh --programs-only s3-server` makes them.
#
#   tests/cluster/compose-v2.sh [VERSION]
#
# VERSION is one of github.com/docker/compose/v2, default v2.40.3. COMPOSE names a
# program that was built before.
set -euo pipefail
version=${1:-v2.40.3}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
: "${POD_UTILS_STATIC_DIR:?names the directory of the static programs}"
work=$(mktemp -d)
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT

# A plugin in a configuration of its own, so that the user's stays as it is.
export DOCKER_CONFIG=$work/docker
plugin=$DOCKER_CONFIG/cli-plugins/docker-compose
mkdir -p "$(dirname "$plugin")"
if [ -n "${COMPOSE:-}" ]; then
  cp "$COMPOSE" "$plugin"
else
  # `go install` refuses a module that excludes versions of others.
  module=github.com/docker/compose/v2
  source=$(cd "$work" && go mod download -json "$module@$version" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
  cp -r "$source" "$work/source" && chmod -R u+w "$work/source"
  (cd "$work/source" && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X $module/internal.Version=$version" -o "$plugin" ./cmd)
fi
docker compose version
cd "$root"
POD_UTILS_COMPOSE='docker compose' cargo test --workspace --test e2e -- deploy::compose:: "${@:2}"
