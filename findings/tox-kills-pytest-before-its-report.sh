#!/usr/bin/env bash
# On SIGINT tox gives pytest 0.3 s, then SIGTERM: no JUnit report.
#
# Guess: Ctrl-C on tox is Ctrl-C on pytest, which finishes its junit.xml when it is interrupted, however long the running test's clean-up takes.
# Seen (tox 4.67.15, pytest 9.2.0): tox passes SIGINT on, waits `interrupt_timeout` (0.3 s by default), then sends SIGTERM, which
# ends pytest at once. A test whose own clean-up takes 1.5 s (it stops a server, say) is enough to lose the whole report. With `interrupt_timeout = 30` in tox.ini the
# same interrupt leaves a well-formed report that holds the test that had passed.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv tools
tools/bin/pip install --quiet --disable-pip-version-check tox==4.67.15
cat >test_sample.py <<'T'
import pathlib, time

def test_first():
    pass

def test_second():
    pathlib.Path('reached').touch()
    try:
        time.sleep(60)
    finally:
        time.sleep(1.5)
T
cat >run.py <<'P'
import os, signal, subprocess, sys, time
import xml.etree.ElementTree as xml
def interrupted(setting):
    for name in ('reached', 'junit.xml'):
        if os.path.exists(name):
            os.remove(name)
    with open('tox.ini', 'w') as ini:
        ini.write('[tox]\nno_package = true\nenv_list = t\n[testenv]\ndeps = pytest==9.2.0\n'
                  'commands = pytest --junitxml=junit.xml test_sample.py\n' + setting)
    run = subprocess.Popen(['tools/bin/tox', '-q', '-e', 't'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                           start_new_session=True)
    end = time.monotonic() + 120
    while not os.path.exists('reached') and run.poll() is None and time.monotonic() < end:
        time.sleep(0.1)
    assert os.path.exists('reached'), 'the second test never started'
    os.kill(run.pid, signal.SIGINT)
    run.wait(timeout=60)
    return [case.get('name') for case in xml.parse('junit.xml').iter('testcase')] if os.path.exists('junit.xml') else None
default, patient = interrupted(''), interrupted('interrupt_timeout = 30\n')
print(f'default: {default}, interrupt_timeout = 30: {patient}')
sys.exit(0 if default is None and patient and 'test_first' in patient else
         'changed: expected no report by default and one with test_first in it with interrupt_timeout')
P
python3 run.py
