#!/usr/bin/env bash
# pytest-rerunfailures: an attempt that failed is a passed test in the JUnit report.
#
# Guess: a test that is run again has one case in the report, with its last outcome, or its failed attempts can be told from passed ones, as surefire's
# rerunFailure does it.
# Seen (pytest 9.2.0, pytest-rerunfailures 16.7): each attempt is a case of its own, and those that failed and were followed by another one have neither
# failure nor rerun in them, as if they had passed. A test that fails three times is two passed cases and a failed one; the total of the suite counts
# tests and so says less than there are cases. A reader of cases reports passed tests that nobody has.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv py
py/bin/pip -q --disable-pip-version-check --no-cache-dir install pytest==9.2.0 pytest-rerunfailures==16.7
cat >test_sample.py <<'T'
def test_passes():
    pass


def test_always_fails():
    assert 0
T
py/bin/pytest -q -p no:cacheprovider --reruns 2 --junitxml=report.xml >/dev/null && { echo 'changed: the run passed'; exit 1; }
seen=$(python3 - <<'P'
import xml.etree.ElementTree as xml

suite = xml.parse("report.xml").getroot().find("testsuite")
cases = [case.get("name") + ":" + (",".join(child.tag for child in case) or "passed") for case in suite]
print(f"tests={suite.get('tests')} failures={suite.get('failures')}", *cases)
P
)
echo "$seen"
[ "$seen" = 'tests=2 failures=1 test_passes:passed test_always_fails:passed test_always_fails:passed test_always_fails:failure' ] ||
  { echo 'changed: expected two passed attempts and a failed one'; exit 1; }
