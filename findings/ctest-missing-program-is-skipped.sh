#!/usr/bin/env bash
# CTest fails for a test whose program was not built, and its JUnit report calls that test skipped.
#
# Guess: what makes `ctest` fail is a failure in the report that it writes by --output-junit; skipped are the tests that said so themselves.
# Seen (CMake 4.1.2 from PyPI): a test whose command does not exist is "Not Run", stands in the list of failed tests and makes the exit status 8; in the
# report it is status="notrun" with a skipped element, and failures is "0". So a report without a failure belongs to a failed run, and the
# message "Unable to find executable" is where nobody looks for one.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv py
py/bin/pip -q --disable-pip-version-check --no-cache-dir install cmake==4.1.2
cat >CMakeLists.txt <<'C'
cmake_minimum_required(VERSION 3.20)
project(sample NONE)
enable_testing()
add_test(NAME built COMMAND true)
add_test(NAME forgotten COMMAND ${CMAKE_BINARY_DIR}/never-built)
C
py/bin/cmake -S . -B build >/dev/null
status=0; (cd build && ../py/bin/ctest --output-junit report.xml >output 2>/dev/null) || status=$?
failed=$(sed -n '/The following tests FAILED/,$p' build/output | grep -c 'forgotten (Not Run)' || true)
case=$(python3 - <<'P'
import xml.etree.ElementTree as xml

suite = xml.parse("build/report.xml").getroot()
case = next(case for case in suite if case.get("name") == "forgotten")
children = ",".join(child.tag for child in case if child.tag in ("failure", "error", "skipped"))
print(f"failures={suite.get('failures')} skipped={suite.get('skipped')} {case.get('status')}: {children}")
P
)
echo "exit status $status, in the list of failed tests $failed time(s), report: $case"
[ "$status $failed $case" = '8 1 failures=0 skipped=1 notrun: skipped' ] || { echo 'changed: expected 8, once, and no failure in the report'; exit 1; }
