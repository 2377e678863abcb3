#!/usr/bin/env bash
# pytest's JUnit attribute "tests" counts subtests and broken clean-ups, for which there are no test cases.
#
# Guess: <testsuite tests="N"> holds N <testcase> elements; "failures" is the number of failed ones.
# Seen (pytest 9.2.0): one test with three subtests, of which one fails, and one that passes but whose fixture cannot be torn down, are two cases
# and tests="5" failures="2" errors="1". The failed subtest and its test are two <failure> elements in one case; the subtests that
# passed are nowhere; the second test is both a pass and an error in the sum. Passed = tests − failures − errors gives 2, and nothing passed.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv tools
tools/bin/pip install --quiet --disable-pip-version-check pytest==9.2.0
cat >test_sample.py <<'T'
import pytest

@pytest.fixture
def server():
    yield
    raise RuntimeError('the server does not stop')

def test_parts(subtests):
    for number in range(3):
        with subtests.test(number=number):
            assert number != 1

def test_server(server):
    pass
T
status=0; tools/bin/pytest -q --junitxml=junit.xml test_sample.py >/dev/null || status=$?
python3 - "$status" <<'P'
import sys
import xml.etree.ElementTree as xml
suite = next(xml.parse('junit.xml').iter('testsuite'))
counts = tuple(int(suite.get(key)) for key in ('tests', 'failures', 'errors'))
cases = [(case.get('name'), [child.tag for child in case]) for case in suite.iter('testcase')]
print(f'exit status {sys.argv[1]}; (tests, failures, errors) {counts}, cases {cases}')
sys.exit(0 if counts == (5, 2, 1) and cases == [('test_parts', ['failure', 'failure']), ('test_server', ['error'])]
         else 'changed: expected (5, 2, 1) and two cases, one with two failures')
P
