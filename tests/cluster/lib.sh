# shellcheck shell=bash
# What the scripts in this folder share: steps, checks that are counted, waiting,
# and kubectl in a namespace. A script sources it after `set -euo pipefail`; those
# that talk to a cluster set `namespace` first. The last line is `end_of_checks`.

failures=0
read -ra kubectl <<<"${KUBECTL:-kubectl}"

step() { printf '\n=== %s (%ss)\n' "$1" "$SECONDS"; }
ok() { printf 'ok: %s\n' "$1"; }
failed() { printf 'FAILED: %s\n' "$1"; failures=$((failures + 1)); }
check() { # what, command...
  local what=$1; shift
  if "$@"; then ok "$what"; else failed "$what"; fi
}
same() { # what, found, expected
  if [ "$2" = "$3" ]; then ok "$1: $2"; else failed "$1: $2 instead of $3"; fi
}
contains() { # what, text, part
  case $2 in *"$3"*) ok "$1: $3" ;; *) failed "$1: no $3 in:
$2" ;; esac
}
end_of_checks() {
  printf '\n%s\n' "$([ "$failures" = 0 ] && echo 'all as expected' || echo "$failures failures")"
  [ "$failures" = 0 ]
}

# The cluster, and the script's namespace in it.
cluster() { "${kubectl[@]}" "$@"; }
k() { cluster --namespace "$namespace" "$@"; }
until_true() { # what, command...: for two minutes
  local what=$1; shift
  for _ in $(seq 240); do if "$@" >/dev/null 2>&1; then return; fi; sleep 0.5; done
  failed "waited in vain for $what"
  k get pods -o wide || true
}
phase() { k get pod "$1" -o 'jsonpath={.status.phase}'; }
has_ended() { case $(phase "$1") in Succeeded | Failed) ;; *) false ;; esac; }
says() { k logs "$1" -c test | grep -qF "$2"; } # pod, text
is_gone() { ! k get pod "$1"; }
