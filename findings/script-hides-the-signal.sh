#!/usr/bin/env bash
# `script -e` returns 0 after a signal, and the command only ever sees SIGTERM.
#
# Guess: `script -e -c COMMAND` (often used in CI for a terminal's colours) is transparent: it passes SIGINT on, and with -e
# ("return exit code of the child process") its status is the command's.
# Seen (util-linux 2.38.1): on SIGINT script sends SIGTERM to its shell, SIGKILL after two seconds, and exits with 0. A
# cancelled job that propagates the exit status is green. bash has replaced itself with the command, which so gets SIGTERM;
# below dash, which script takes where SHELL is unset, the shell dies of it and the command gets the terminal's SIGHUP.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
command -v script >/dev/null || { echo 'needs script (Debian: bsdutils)'; exit 2; }
script --version
cat >command.sh <<'C'
trap 'echo INT >>seen; exit 3' INT
trap 'echo TERM >>seen; exit 4' TERM
trap 'echo HUP >>seen; exit 5' HUP
touch reached
while :; do sleep 0.1; done
C
cat >run.py <<'P'
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
while not os.path.exists('seen') and time.monotonic() < end:
    time.sleep(0.05)
seen = open('seen').read().split() if os.path.exists('seen') else []
print(f'{os.environ["SHELL"]}: exit status {status}, the command saw {seen}')
sys.exit(0 if status == 0 and seen == [sys.argv[1]] else f'changed: expected exit status 0 and {sys.argv[1]} alone')
P
SHELL=/bin/bash python3 run.py TERM
rm reached seen
SHELL=/bin/dash python3 run.py HUP
