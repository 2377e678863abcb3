#!/usr/bin/env bash
# meson up to 1.6 reports a test that was cut off by an interrupt as passed.
#
# Guess: a test that meson kills because the run was interrupted is a failure or an error in testlog.junit.xml.
# Seen: meson 1.6.1 writes the test case without a failure, an error or a skip: every reader counts it as passed. meson 1.7.0 writes an
# <error> for the same run. meson's own exit status is 1 with both, so only the report is wrong, and only with the older one, which
# distributions still ship.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv tools
tools/bin/pip install --quiet --disable-pip-version-check ninja==1.11.1.3
mkdir source
cat >source/meson.build <<'M'
project('sample')
test('slow', find_program('slow.sh'), timeout: 0)
M
printf '#!/bin/sh\ntouch "%s/reached"\nexec sleep 60\n' "$dir" >source/slow.sh
chmod +x source/slow.sh
cat >run.py <<'P'
import os, signal, subprocess, sys, time
import xml.etree.ElementTree as xml
os.environ['PATH'] = os.path.abspath('tools/bin') + ':' + os.environ['PATH']
def verdict(version):
    subprocess.run(['tools/bin/pip', 'install', '--quiet', '--disable-pip-version-check', f'meson=={version}'], check=True)
    build = f'build-{version}'
    subprocess.run(['tools/bin/meson', 'setup', build, 'source'], check=True, stdout=subprocess.DEVNULL)
    if os.path.exists('reached'):
        os.remove('reached')
    run = subprocess.Popen(['tools/bin/meson', 'test', '-C', build], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                           start_new_session=True)
    end = time.monotonic() + 60
    while not os.path.exists('reached') and run.poll() is None and time.monotonic() < end:
        time.sleep(0.1)
    assert os.path.exists('reached'), 'the test never started'
    os.kill(run.pid, signal.SIGINT)
    status = run.wait(timeout=30)
    case = next(xml.parse(f'{build}/meson-logs/testlog.junit.xml').iter('testcase'))
    marks = [child.tag for child in case if child.tag in ('failure', 'error', 'skipped')]
    return status, marks
old, new = verdict('1.6.1'), verdict('1.7.0')
print(f'meson 1.6.1: exit status {old[0]}, {old[1]}; meson 1.7.0: exit status {new[0]}, {new[1]}')
sys.exit(0 if old[1] == [] and new[1] == ['error'] else 'changed: expected no mark by 1.6.1 and an error by 1.7.0')
P
python3 run.py
