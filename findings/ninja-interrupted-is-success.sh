#!/usr/bin/env bash
# ninja 1.13.0 returns 0 for a build that was interrupted, and prints nothing.
#
# Guess: an interrupted build fails: "ninja: build stopped: interrupted by user." and a status other than 0 (2 for years, 130 since).
# Seen (ninja of PyPI, which pip-based builds and images get): 1.11.1.4 returns 2, 1.13.2 returns 130, and 1.13.0 returns 0 without a word, on
# SIGINT and SIGTERM alike, while targets are missing. A script goes on with the next step, and a job that propagates the status is green.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv tools
for version in 1.11.1.4 1.13.0 1.13.2; do
  tools/bin/pip install --quiet --disable-pip-version-check --target "ninja-$version" "ninja==$version"
done
cat >build.ninja <<'N'
rule slow
  command = exec python3 job.py $out
build result: slow
N
cat >job.py <<'J'
import pathlib, sys, time
pathlib.Path('reached').touch()
time.sleep(60)
pathlib.Path(sys.argv[1]).touch()
J
cat >run.py <<'P'
import os, signal, subprocess, sys, time
def interrupted(version, number):
    if os.path.exists('reached'):
        os.remove('reached')
    run = subprocess.Popen([f'ninja-{version}/bin/ninja', 'result'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           start_new_session=True)
    end = time.monotonic() + 30
    while not os.path.exists('reached') and run.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    assert os.path.exists('reached'), 'the job never started'
    os.kill(run.pid, number)
    said = run.communicate(timeout=30)[0]
    return run.returncode, 'interrupted' in said, os.path.exists('result')
seen = {version: [interrupted(version, number) for number in (signal.SIGINT, signal.SIGTERM)] for version in ('1.11.1.4', '1.13.0', '1.13.2')}
print(f'(status, says so, target made) of INT and TERM: {seen}')
expected = {'1.11.1.4': [(2, True, False)] * 2, '1.13.0': [(0, False, False)] * 2, '1.13.2': [(130, True, False)] * 2}
sys.exit(0 if seen == expected else f'changed: expected {expected}')
P
python3 run.py
