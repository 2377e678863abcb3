#!/usr/bin/env bash
# locust returns 0 when it is told to stop, and writes its HTML report on SIGINT only.
#
# Guess: a load test that is cut off before its --run-time is over ends with a status that says so, and SIGTERM, which containers
# get, leaves the same reports as Ctrl-C.
# Seen (locust 2.47.0): both signals end it with 0; --csv files are there in both cases, the file of --html after SIGINT
# only. A job that trusts the exit status is green, and its report is missing.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv tools
tools/bin/pip install --quiet --disable-pip-version-check locust==2.47.0
cat >locustfile.py <<'T'
import pathlib, time
from locust import User, task

class Sample(User):
    @task
    def work(self):
        pathlib.Path('reached').touch()
        self.environment.events.request.fire(request_type='x', name='work', response_time=1, response_length=0, exception=None,
                                             context={}, start_time=time.time())
        time.sleep(0.2)
T
python3 - <<'P'
import os, signal, subprocess, sys, time
def stopped(number):
    for name in ('reached', 'report.html', 'out_stats.csv'):
        if os.path.exists(name):
            os.remove(name)
    run = subprocess.Popen(['tools/bin/locust', '--headless', '-u', '1', '-r', '1', '--run-time', '10m', '--html', 'report.html',
                            '--csv', 'out', '--host', 'http://127.0.0.1:9'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                           start_new_session=True)
    end = time.monotonic() + 60
    while not os.path.exists('reached') and run.poll() is None and time.monotonic() < end:
        time.sleep(0.1)
    assert os.path.exists('reached'), 'no user ever ran'
    os.kill(run.pid, number)
    return run.wait(timeout=60), os.path.exists('report.html'), os.path.exists('out_stats.csv')
interrupted, terminated = stopped(signal.SIGINT), stopped(signal.SIGTERM)
print(f'(exit status, html, csv): SIGINT {interrupted}, SIGTERM {terminated}')
sys.exit(0 if interrupted == (0, True, True) and terminated == (0, False, True)
         else 'changed: expected (0, True, True) and (0, False, True)')
P
