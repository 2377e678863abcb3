#!/usr/bin/env bash
# mocha-junit-reporter counts skipped tests for which it writes no case.
#
# Guess: the totals of a JUnit file are the sums of its cases, or at least of its suites.
# Seen (mocha 11.7.4, mocha-junit-reporter 2.2.1): of four tests, two of them skipped, the file says tests="4" skipped="2" at its
# root; it has cases for the other two only, and the suite says tests="4" without skipped. By its cases one of two tests failed,
# by its suites one of four, three of which passed. (The option includePending writes the cases.)
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm init --yes >/dev/null
npm install --silent mocha@11.7.4 mocha-junit-reporter@2.2.1 >/dev/null 2>&1
cat >sample.js <<'J'
describe('suite', () => {
  it('passes', () => {});
  it('fails', () => { throw new Error('as it should'); });
  it.skip('is skipped', () => {});
  it('is pending');
});
J
npx mocha sample.js --reporter mocha-junit-reporter --reporter-options mochaFile=report.xml >output 2>&1 || true
python3 - <<'P'
import sys, xml.etree.ElementTree as tree
root = tree.parse('report.xml').getroot()
[suite] = [suite for suite in root if suite.get('name') == 'suite']
counts = lambda node: (node.get('tests'), node.get('failures'), node.get('skipped'))
seen = counts(root), counts(suite), len(list(root.iter('testcase'))), len(list(root.iter('skipped')))
print('tests/failures/skipped of the root %s and of the suite %s, %s cases, %s skipped elements' % seen)
expected = ('4', '1', '2'), ('4', '1', None), 2, 0
sys.exit(0 if seen == expected else f'changed: expected {expected}')
P
