#!/usr/bin/env bash
# The JSON report of a terminated rspec counts the example that was cut as no failure.
#
# Guess: SIGTERM in the middle of an example writes no report, or one in which that example has failed; `failure_count` is at least 1.
# Seen (rspec-core 3.12.0 of Debian 12): the report is whole and well-formed. The example that was running has the empty text as its
# status, `failure_count` is 0 and the summary says "2 examples, 0 failures". SIGINT instead waits for the end of the example. A collector
# that looks for failures finds a green run.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
command -v rspec >/dev/null || { apt-get update -qq; apt-get install -y -qq --no-install-recommends ruby-rspec-core=3.12.0c0e1m1s0-1 >/dev/null; }
cat >sample_spec.rb <<'T'
RSpec.describe 'sample' do
  it('first') {}
  it('second') { File.write('reached', ''); sleep 60 }
end
T
python3 - <<'P'
import json, os, signal, subprocess, sys, time
run = subprocess.Popen(['rspec', '--format', 'json', '--out', 'rspec.json', 'sample_spec.rb'], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, start_new_session=True)
end = time.monotonic() + 60
while not os.path.exists('reached') and run.poll() is None and time.monotonic() < end:
    time.sleep(0.1)
assert os.path.exists('reached'), 'the second example never started'
time.sleep(1)
os.kill(run.pid, signal.SIGTERM)
status = run.wait(timeout=30)
report = json.load(open('rspec.json'))
cut = [example['status'] for example in report['examples'] if example['description'] == 'second']
print(f'exit status {status}, status of the cut example {cut}, {report["summary_line"]}')
sys.exit(0 if cut == [''] and report['summary']['failure_count'] == 0 else 'changed: expected an empty status and no failure')
P
