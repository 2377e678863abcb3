#!/usr/bin/env bash
# A cancelled vitest leaves a JUnit file of zero bytes.
#
# Guess: vitest handles SIGINT (it prints a message and exits with 130), so its JUnit report is either complete with what has
# passed so far, or not there at all.
# Seen (vitest 4.1.12, Node 20): junit.xml is created when the run starts, stays at 0 bytes while tests pass, and is still
# empty after SIGINT, although one test had passed before. The exit status is 130. A collector that takes
# "the file exists" for "there is a report" hands an empty document to every reader of JUnit XML.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund vitest@4.1.12 >/dev/null
cat >sample.test.mjs <<'T'
import { test } from 'vitest'
import { writeFileSync } from 'node:fs'
test('first', () => {})
test('second', async () => { writeFileSync('reached', ''); await new Promise(done => setTimeout(done, 60000)) }, 90000)
T
python3 - <<'P'
import os, signal, subprocess, sys, time
run = subprocess.Popen(['node_modules/.bin/vitest', 'run', '--reporter=junit', '--outputFile=junit.xml'],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
end = time.monotonic() + 60
while not os.path.exists('reached') and run.poll() is None and time.monotonic() < end:
    time.sleep(0.1)
assert os.path.exists('reached'), 'the second test never started'
os.killpg(run.pid, signal.SIGINT)
status = run.wait(timeout=30)
size = os.path.getsize('junit.xml') if os.path.exists('junit.xml') else None
print(f'exit status {status}, junit.xml: {"absent" if size is None else f"{size} bytes"}')
sys.exit(0 if status == 130 and size == 0 else 'changed: expected exit status 130 and a junit.xml of 0 bytes')
P
