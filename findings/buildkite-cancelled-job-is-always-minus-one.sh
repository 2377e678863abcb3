#!/usr/bin/env bash
# A cancelled Buildkite job has exit status -1, whatever its command returned.
#
# Guess: an agent that cancels sends SIGTERM and reports what the command then returns: 0 for one that cleans up and exits well.
# Seen (buildkite-agent v3.137.2): the command gets SIGTERM, cleans up and exits with 0, and the agent reports exit_status "-1", signal
# "SIGTERM", signal_reason "cancel": its bootstrap ends by sending itself the signal, after the command. No exit code of a wrapper can turn a
# cancelled step green. (v3.138 needs Go 1.26.10. The module proxy refuses the archive of drjosh.dev/zzglob; its repository is the same.)
set -euo pipefail
dir=$(mktemp -d); trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT; cd "$dir"
cat >go.mod <<'M'
module sample

go 1.26.0

tool github.com/buildkite/agent/v3

require github.com/buildkite/agent/v3 v3.137.2

replace drjosh.dev/zzglob => github.com/DrJosh9000/zzglob v0.4.3
M
go mod tidy >/dev/null 2>&1
go build -o buildkite-agent github.com/buildkite/agent/v3
mkdir hooks
printf '#!/bin/sh\n' >hooks/checkout
chmod +x hooks/checkout
cat >run.py <<'P'
import http.server, json, os, subprocess, sys, threading, time
state = {'accepted': False, 'cancelled': False, 'finish': None}
job = {'id': 'job', 'state': 'assigned', 'chunks_max_size_bytes': 100000, 'chunks_interval_seconds': 1, 'env': {
    'BUILDKITE_COMMAND': f"trap 'touch {os.getcwd()}/cleaned; exit 0' TERM; touch {os.getcwd()}/reached; while :; do sleep 0.1; done",
    'BUILDKITE_JOB_ID': 'job', 'BUILDKITE_BUILD_ID': 'build', 'BUILDKITE_BUILD_NUMBER': '1', 'BUILDKITE_ORGANIZATION_SLUG': 'acme',
    'BUILDKITE_PIPELINE_SLUG': 'sample', 'BUILDKITE_PIPELINE_PROVIDER': 'none', 'BUILDKITE_REPO': 'none', 'BUILDKITE_BRANCH': 'main',
    'BUILDKITE_COMMIT': 'HEAD', 'BUILDKITE_AGENT_NAME': 'agent'}}
class Api(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def answer(self):
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
        call = self.path.split('?')[0].rsplit('/', 1)[1]
        said = {}
        if call == 'register':
            said = {'id': 'agent', 'name': 'agent', 'access_token': 'x', 'ping_interval': 1, 'job_status_interval': 1, 'heartbeat_interval': 60, 'meta_data': []}
        elif call == 'ping':
            said = {'action': 'idle'} if state['accepted'] else {'job': job}
        elif call == 'accept':
            state['accepted'], said = True, job
        elif call == 'job' and self.command == 'GET':
            said = {'id': 'job', 'state': 'canceling' if state['cancelled'] else 'running'}
        elif call == 'finish':
            state['finish'] = json.loads(body)
        text = json.dumps(said).encode()
        self.send_response(200)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    do_GET = do_POST = do_PUT = answer
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Api)
threading.Thread(target=server.serve_forever, daemon=True).start()
agent = subprocess.Popen(['./buildkite-agent', 'start', '--token=x', '--name=agent', '--disconnect-after-job', '--build-path=builds',
                          '--hooks-path=hooks', f'--endpoint=http://127.0.0.1:{server.server_port}/v3'],
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
end = time.monotonic() + 120
while not os.path.exists('reached') and agent.poll() is None and time.monotonic() < end:
    time.sleep(0.1)
assert os.path.exists('reached'), 'the command never started'
state['cancelled'] = True
agent.wait(timeout=120)
said = tuple(state['finish'].get(key) for key in ('exit_status', 'signal', 'signal_reason'))
print(f'cleaned up: {os.path.exists("cleaned")}, the agent reports {said}')
sys.exit(0 if os.path.exists('cleaned') and said == ('-1', 'SIGTERM', 'cancel') else 'changed: expected -1, SIGTERM, cancel')
P
python3 run.py
