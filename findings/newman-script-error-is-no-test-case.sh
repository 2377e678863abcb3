#!/usr/bin/env bash
# What newman itself calls a failure is no test case in its JUnit report.
#
# Guess: a request that cannot be sent, and a test script that throws, are failed or broken cases of the report.
# Seen (newman 6.2.2): both make newman exit with 1. In the report the first is a <testsuite tests="0" failures="0" errors="1"> without any
# case, the second a suite whose one case, the assertion before the throw, passed; the reasons stand in <system-err>. There is no <error>
# element, and the root has neither failures nor errors. A reader of cases, as most are, sees one test that passed.
set -euo pipefail
dir=$(mktemp -d); server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; wait 2>/dev/null; rm -rf "$dir"' EXIT; cd "$dir"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund newman@6.2.2 >/dev/null
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
mkdir served; python3 -m http.server --bind 127.0.0.1 --directory served "$port" >/dev/null 2>&1 & server=$!
for _ in $(seq 100); do curl -s -o /dev/null "http://127.0.0.1:$port/" && break; sleep 0.1; done
cat >collection.json <<C
{"info": {"name": "sample", "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"},
 "item": [{"name": "refused", "request": {"method": "GET", "url": "http://127.0.0.1:9/"}},
          {"name": "throws", "request": {"method": "GET", "url": "http://127.0.0.1:$port/"},
           "event": [{"listen": "test", "script": {"exec": [
             "pm.test('is up', () => pm.response.to.have.status(200)); const first = pm.response.headers.get('X-List').split(',')[0]"]}}]}]}
C
status=0; node_modules/.bin/newman run collection.json -r junit --reporter-junit-export junit.xml >/dev/null || status=$?
python3 - "$status" <<'P'
import sys
import xml.etree.ElementTree as xml
root = xml.parse('junit.xml').getroot()
suites = {suite.get('name'): (suite.get('tests'), suite.get('failures'), suite.get('errors'),
                              [[child.tag for child in case] for case in suite.iter('testcase')]) for suite in root.iter('testsuite')}
print(f'exit status {sys.argv[1]}; root {sorted(root.attrib)}; (tests, failures, errors, cases) {suites}')
sys.exit(0 if sys.argv[1] == '1' and suites == {'refused': ('0', '0', '1', []), 'throws': ('1', '0', '1', [[]])}
         and not list(root.iter('error')) and 'errors' not in root.attrib else 'changed: expected no case, and one that passed')
P
