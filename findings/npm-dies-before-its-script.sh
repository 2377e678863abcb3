#!/usr/bin/env bash
# npm passes no SIGINT on, and on SIGTERM it dies and leaves the test running.
#
# Guess: `npm test` hands the signals that it gets to the script, as its documents on running scripts suggest and pnpm does, and ends after it.
# Seen (npm 11.19.1, Node 20, /bin/sh of Debian): on SIGINT npm waits until the test has ended by itself, and then dies of SIGINT, although
# the test passed. On SIGTERM npm and the shell between it and the test die at once, and the test runs on unsignalled, without a parent.
# pnpm 12.21.0 passes SIGINT on. A supervisor must signal the whole process group, or start the runner without npm.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm init -y >/dev/null
npm pkg set scripts.test='node loop.cjs' >/dev/null
npm install --silent --no-audit --no-fund npm@11.19.1 pnpm@12.21.0 >/dev/null
cat >loop.cjs <<'T'
const { appendFileSync, writeFileSync, renameSync } = require('node:fs')
const note = word => appendFileSync('seen', word + '\n')
process.on('SIGINT', () => { note('INT'); process.exit(3) })
process.on('SIGTERM', () => { note('TERM'); process.exit(4) })
setTimeout(() => note('end'), 5000)
writeFileSync('pid', String(process.pid)); renameSync('pid', 'reached')
T
python3 - <<'P'
import os, signal, subprocess, sys, time
def signalled(launcher, number):
    for name in ('reached', 'seen'):
        if os.path.exists(name):
            os.remove(name)
    run = subprocess.Popen([f'node_modules/.bin/{launcher}', 'test'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                           start_new_session=True)
    end = time.monotonic() + 60
    while not os.path.exists('reached') and run.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    assert os.path.exists('reached'), 'the test never started'
    test = int(open('reached').read())
    os.kill(run.pid, number)
    status = run.wait(timeout=60)
    alive = os.path.exists(f'/proc/{test}')
    while os.path.exists(f'/proc/{test}') and time.monotonic() < end + 60:
        time.sleep(0.05)
    return status, alive, open('seen').read().split()
npm_int, npm_term, pnpm_int = signalled('npm', signal.SIGINT), signalled('npm', signal.SIGTERM), signalled('pnpm', signal.SIGINT)
print(f'(status, test outlived it, test saw): npm INT {npm_int}, npm TERM {npm_term}, pnpm INT {pnpm_int}')
sys.exit(0 if npm_int == (-2, False, ['end']) and npm_term == (-15, True, ['end']) and pnpm_int[2] == ['INT']
         else 'changed: expected npm to wait on INT, to leave the test on TERM, and pnpm to pass INT on')
P
