#!/usr/bin/env bash
# jest-junit leaves out a test file that does not compile, and says that nothing failed.
#
# Guess: a test file with a syntax error, or with an import that is not there, is an <error> in the report, as it is in pytest's.
# Seen (jest 30.5.2, jest-junit 17.0.0): jest prints the file as failed and exits with 1; the report has one suite, of the other file, and says
# failures="0" errors="0". With `reportTestSuiteErrors` "true", which is off unless set, the file is an <error>. Whoever judges by
# the report sees a green run with fewer tests.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund jest@30.5.2 jest-junit@17.0.0 >/dev/null
echo "test('good', () => {})" >good.test.js
echo "require('./moved'); test('bad', () => {})" >bad.test.js
export JEST_JUNIT_OUTPUT_NAME=plain.xml
status=0; node_modules/.bin/jest --ci --reporters=jest-junit >/dev/null 2>&1 || status=$?
export JEST_JUNIT_OUTPUT_NAME=errors.xml JEST_JUNIT_REPORT_TEST_SUITE_ERRORS=true
node_modules/.bin/jest --ci --reporters=jest-junit >/dev/null 2>&1 || true
python3 - "$status" <<'P'
import sys
import xml.etree.ElementTree as xml
def seen(file):
    root = xml.parse(file).getroot()
    return root.get('tests'), root.get('failures'), root.get('errors'), len(list(root.iter('testcase')))
plain, errors = seen('plain.xml'), seen('errors.xml')
print(f'exit status {sys.argv[1]}; (tests, failures, errors, cases): {plain}; with reportTestSuiteErrors {errors}')
sys.exit(0 if sys.argv[1] == '1' and plain == ('1', '0', '0', 1) and errors[2] == '1'
         else 'changed: expected one case and no error, and an error only with reportTestSuiteErrors')
P
