#!/usr/bin/env bash
# node --test writes JUnit test cases that lie in no test suite.
#
# Guess: JUnit XML is <testsuites> of <testsuite> of <testcase>; whoever looks for testsuite/testcase, as most readers do, sees every
# test.
# Seen (Node 20.20.2, reporter "junit"): a test that stands in no describe() is a direct child of <testsuites>; describe() blocks are
# <testsuite> elements, nested as deep as they are in the source. The root has no counts. A reader of suites finds one of the two tests here;
# only "every testcase, at any depth" finds both.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund node@20.20.2 >/dev/null
cat >sample.test.mjs <<'T'
import { describe, it, test } from 'node:test'
test('alone', () => {})
describe('outer', () => { describe('inner', () => { it('nested', () => {}) }) })
T
node_modules/.bin/node --version
node_modules/.bin/node --test --test-reporter=junit sample.test.mjs >junit.xml
python3 - <<'P'
import sys
import xml.etree.ElementTree as xml
root = xml.parse('junit.xml').getroot()
direct = [case.get('name') for case in root.findall('testcase')]
one_level = [case.get('name') for case in root.findall('testsuite/testcase')]
anywhere = [case.get('name') for case in root.iter('testcase')]
print(f'root <{root.tag}> {root.attrib}: directly in it {direct}, in its suites {one_level}, anywhere {anywhere}')
sys.exit(0 if root.tag == 'testsuites' and not root.attrib and direct == ['alone'] and one_level == []
         and sorted(anywhere) == ['alone', 'nested'] else 'changed: expected "alone" directly in the root and "nested" two suites deep')
P
