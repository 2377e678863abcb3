#!/usr/bin/env bash
# Without a terminal rich's log handler breaks every word that is longer than about 45 characters.
#
# Guess: rich wraps for a terminal's width; into a pipe or file, as in CI, it writes a log record on one line, as logging does by itself.
# Seen (rich 15.0.0): without a terminal it takes 80 columns and leaves the message what time, level and source leave of them. A longer URL or token
# is cut in the middle, with padding and a line end between the parts: no link in a log viewer, no hit for a search, and
# nothing for a masker of secrets that looks for the value. COLUMNS=400 in the environment is enough to keep it whole.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv tools
tools/bin/pip install --quiet --disable-pip-version-check rich==15.0.0
cat >sample.py <<'T'
import logging
from rich.logging import RichHandler
logging.basicConfig(level='INFO', format='%(message)s', handlers=[RichHandler()])
logging.info('report: https://results.example/ci/pull-request-1234/integration/1900000000000000002/artifacts/junit.xml')
T
url=https://results.example/ci/pull-request-1234/integration/1900000000000000002/artifacts/junit.xml
env -u COLUMNS -u FORCE_COLOR -u TTY_COMPATIBLE TERM=dumb tools/bin/python sample.py >narrow.log </dev/null 2>&1
env -u FORCE_COLOR -u TTY_COMPATIBLE COLUMNS=400 tools/bin/python sample.py >wide.log </dev/null 2>&1
cat narrow.log
narrow=$(grep -c -F "$url" narrow.log || true) wide=$(grep -c -F "$url" wide.log || true)
joined=$(tr -d ' \n' <narrow.log | sed 's/sample\.py:[0-9]*//' | grep -c -F "$url" || true)
echo "lines with the URL: $narrow, with COLUMNS=400: $wide; without blanks and line ends: $joined"
[ "$narrow $wide $joined" = '0 1 1' ] || { echo 'changed: expected 0, 1 and 1'; exit 1; }
