#!/usr/bin/env bash
# `script -e` returns 0 after a signal, and the command only ever sees SIGTERM.
#
# Guess: `script -e -c COMMAND` (often used in CI for a terminal's colours) is transparent: it passes SIGINT on, and with -e
# ("return exit code of the child process") its status is the command's.
# Seen (util-linux 2.38.1): on SIGINT script sends SIGTERM to the command, SIGKILL after two seconds, and exits with 0. A
# cancelled job that propagates the exit status is green.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
command -v script >/dev/null || { echo 'needs script (Debian: bsdutils)'; exit 2; }
script --version
cat >command.sh <<'C'
trap 'echo INT >>seen; exit 3' INT
trap 'echo TERM >>seen; exit 4' TERM
touch reached
while :; do sleep 0.1; done
C
python3 - <<'P'
import os, signal, subprocess, sys, time
run = subprocess.Popen(['script', '-q', '-e', '-c', 'bash command.sh', '/dev/null'], stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
end = time.monotonic() + 30
while not os.path.exists('reached') and run.poll() is None and time.monotonic() < end:
    time.sleep(0.05)
assert os.path.exists('reached'), 'the command never started'
time.sleep(0.3)
os.kill(run.pid, signal.SIGINT)
status = run.wait(timeout=30)
seen = open('seen').read().split() if os.path.exists('seen') else []
print(f'exit status {status}, the command saw {seen}')
sys.exit(0 if status == 0 and seen == ['TERM'] else 'changed: expected exit status 0 and TERM alone')
P
