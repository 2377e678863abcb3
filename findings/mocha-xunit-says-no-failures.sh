#!/usr/bin/env bash
# mocha's xunit report says failures="0", however many tests fail.
#
# Guess: in JUnit XML "failures" counts assertions that did not hold, "errors" what broke beside them, and a suite whose cases
# hold <failure> elements counts them in "failures".
# Seen (mocha 12.0.3, reporter xunit): two failed tests give failures="0" errors="2", while both cases hold a <failure>
# and no case an <error>. A dashboard that reads the attribute calls the run green; one that counts elements disagrees with it. The
# exit status is 2: the number of failed tests.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund mocha@12.0.3 >/dev/null
cat >sample.test.cjs <<'T'
const assert = require('node:assert')
it('passes', () => {})
it('compares', () => assert.strictEqual(1, 2))
it('throws', () => { throw new TypeError('no such thing') })
T
status=0
node_modules/.bin/mocha --reporter xunit --reporter-option output=xunit.xml sample.test.cjs >/dev/null || status=$?
python3 - "$status" <<'P'
import sys
import xml.etree.ElementTree as xml
suite = next(xml.parse('xunit.xml').iter('testsuite'))
said = suite.get('failures'), suite.get('errors')
held = len(list(suite.iter('failure'))), len(list(suite.iter('error')))
print(f'exit status {sys.argv[1]}; (failures, errors): the attributes say {said}, the cases hold {held}')
sys.exit(0 if sys.argv[1] == '2' and said == ('0', '2') and held == (2, 0)
         else 'changed: expected the attributes to say (0, 2) and the cases to hold (2, 0)')
P
