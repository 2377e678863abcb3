#!/usr/bin/env bash
# Prow's pod utilities call a Robot Framework run with 130 failed tests ABORTED.
#
# Guess: a run that ends by itself with failed tests is FAILURE, and ABORTED says that somebody stopped the job.
# Seen (Robot Framework 7.5; Prow's entrypoint and sidecar at 2024-06-19, the newest on the Go module proxy): robot's exit status is
# the number of failed tests, up to 250. Prow's marker file holds the test's own status beside codes of Prow's, and 130 is the one for
# an abort: 129 failed tests are FAILURE, 130 are ABORTED, which most gates and retries leave alone. The builds take some minutes.
set -euo pipefail
dir=$(mktemp -d); trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT; cd "$dir"
export GOPATH=$dir/go GOCACHE=$dir/cache GOFLAGS=-modcacherw GOBIN=$dir/bin
prow=sigs.k8s.io/prow/cmd version=v0.0.0-20240619181241-cfb8754e0459
go install "$prow/entrypoint@$version" "$prow/sidecar@$version" >/dev/null 2>&1
python3 -m venv tools
tools/bin/pip install --quiet --disable-pip-version-check robotframework==7.5
cat >run.py <<'P'
import json, os, subprocess, sys
here = os.getcwd()
def verdict(failed):
    home = f'{here}/{failed}'
    os.mkdir(home)
    with open(f'{home}/sample.robot', 'w') as suite:
        suite.write('*** Test Cases ***\n' + ''.join(f'Case {number}\n    Fail\n' for number in range(failed)))
    entry = {'args': [f'{here}/tools/bin/robot', '--outputdir', f'{home}/artifacts', f'{home}/sample.robot'], 'timeout': 600 * 10**9,
             'grace_period': 15 * 10**9, 'artifact_dir': f'{home}/artifacts', 'container_name': 'test', 'process_log': f'{home}/log',
             'marker_file': f'{home}/marker', 'metadata_file': f'{home}/artifacts/metadata.json'}
    sidecar = {'gcs_options': {'items': [f'{home}/artifacts'], 'path_strategy': 'explicit', 'local_output_dir': f'{home}/out'},
               'entries': [entry]}
    job = {'type': 'periodic', 'job': 'nightly', 'buildid': '1', 'prowjobid': 'sample'}
    quiet = {'stdout': subprocess.DEVNULL, 'stderr': subprocess.DEVNULL}
    status = subprocess.run(['bin/entrypoint'], env={**os.environ, 'ENTRYPOINT_OPTIONS': json.dumps(entry)}, **quiet).returncode
    subprocess.run(['bin/sidecar'], env={**os.environ, 'JOB_SPEC': json.dumps(job), 'SIDECAR_OPTIONS': json.dumps(sidecar)},
                   check=True, timeout=120, **quiet)
    return status, json.load(open(f'{home}/out/finished.json'))['result']
fewer, more = verdict(129), verdict(130)
print(f'(exit status, result): 129 failed tests {fewer}, 130 failed tests {more}')
sys.exit(0 if fewer == (129, 'FAILURE') and more == (130, 'ABORTED') else 'changed: expected FAILURE for 129 and ABORTED for 130')
P
python3 run.py
