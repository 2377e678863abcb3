#!/usr/bin/env bash
# The ginkgo command line ignores SIGINT and SIGTERM sent to it alone, and exits with 0.
#
# Guess: `ginkgo` passes SIGTERM on to the suite it runs, which then writes its report and fails as interrupted; without that it would at least die.
# Seen (ginkgo 2.34.0): after the signal the suite goes on as if nothing had happened, the test runs to its end, and both exit with 0 and a
# report of a passed test. The compiled suite, signalled itself, ends within a second with status 1 and the state "interrupted". So a supervisor
# that signals its direct child waits for the whole grace period and then has to kill.
set -euo pipefail
dir=$(mktemp -d); trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT; cd "$dir"
export GOPATH=$dir/go GOCACHE=$dir/cache GOFLAGS=-modcacherw GOBIN=$dir/bin
mkdir suite
cat >go.mod <<'M'
module sample

go 1.24.0

require github.com/onsi/ginkgo/v2 v2.34.0
M
cat >suite/suite_test.go <<'T'
package suite

import (
	"os"
	"testing"
	"time"

	"github.com/onsi/ginkgo/v2"
)

func TestSuite(t *testing.T) { ginkgo.RunSpecs(t, "sample") }

var _ = ginkgo.It("waits", func(ctx ginkgo.SpecContext) {
	os.WriteFile("../reached", nil, 0o644)
	select {
	case <-ctx.Done():
	case <-time.After(8 * time.Second):
	}
})
T
go mod tidy >/dev/null 2>&1
go install github.com/onsi/ginkgo/v2/ginkgo
bin/ginkgo version
go test -c -o own.test ./suite
cat >run.py <<'P'
import json, os, signal, subprocess, sys, time
def stopped(command, directory, report):
    for name in ('reached', report):
        if os.path.exists(name):
            os.remove(name)
    run = subprocess.Popen(command, cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    end = time.monotonic() + 120
    while not os.path.exists('reached') and run.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    assert os.path.exists('reached'), 'the spec never started'
    begin = time.monotonic()
    os.kill(run.pid, signal.SIGTERM)
    status = run.wait(timeout=60)
    states = [spec['State'] for suite in json.load(open(report)) for spec in suite['SpecReports'] if spec['LeafNodeText'] == 'waits']
    return status, states, time.monotonic() - begin
here = os.getcwd()
cli = stopped(['bin/ginkgo', '--json-report=cli.json', f'--output-dir={here}', './suite'], '.', 'cli.json')
own = stopped([f'{here}/own.test', f'--ginkgo.json-report={here}/own.json'], 'suite', 'own.json')
print(f'ginkgo: exit status {cli[0]}, {cli[1]} after {cli[2]:.1f} s; the suite itself: {own[0]}, {own[1]} after {own[2]:.1f} s')
sys.exit(0 if cli[:2] == (0, ['passed']) and cli[2] > 5 and own[:2] == (1, ['interrupted']) and own[2] < 5
         else 'changed: expected the command line to go on and the suite to be interrupted')
P
python3 run.py
