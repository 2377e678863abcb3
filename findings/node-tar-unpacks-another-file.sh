#!/usr/bin/env bash
# Of a tar member with holes, node-tar and busybox unpack another file under another name, and return success.
#
# Guess: a reader that does not know sparse members says so; the pax form was made so that the rest of them get the file some way.
# Seen (tar 7.5.23 of npm, busybox 1.35, GNU tar 1.34 as the writer; bsdtar writes such members unasked): from `tar -S --format=posix`
# both make GNUSparseFile.PID/NAME, which holds the list of the pieces and then the pieces, exit with 0 and say nothing. From
# `--format=gnu` node-tar unpacks nothing at all, also without a word, while busybox fails. Python's tarfile reads both.
# A core dump, disk image or database among artifacts is so lost on the reader's side.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
for tool in tar busybox; do command -v "$tool" >/dev/null || { echo "needs $tool"; exit 2; }; done
tar --version | sed -n 1p; busybox | sed -n 1p
npm init -y >/dev/null
npm install --silent --no-audit --no-fund tar@7.5.23 >/dev/null
python3 -c 'f = open("image", "wb"); f.write(b"begin"); f.seek(1 << 20); f.write(b"end")'
tar -S --format=posix -cf posix.tar image
tar -S --format=gnu -cf gnu.tar image
cat >unpack.cjs <<'T'
const [file, cwd] = process.argv.slice(2)
require('tar').x({ file, cwd, sync: true, onwarn: (code, message) => console.log('warning', code, message) })
T
cat >run.py <<'P'
import os, subprocess, sys, tarfile
whole = open('image', 'rb').read()
def unpacked(name, *command):
    os.mkdir(name)
    run = subprocess.run([*command, name], capture_output=True, text=True)
    files = [(os.path.join(path, file)) for path, _, names in os.walk(name) for file in names]
    found = [('same name' if file == f'{name}/image' else os.path.relpath(file, name).split('.')[0],
              'same' if open(file, 'rb').read() == whole else 'other content') for file in files]
    return run.returncode, found, (run.stdout + run.stderr).strip()
node = [unpacked(f'node-{form}', 'node', 'unpack.cjs', f'{form}.tar') for form in ('posix', 'gnu')]
busybox = [unpacked(f'busybox-{form}', 'busybox', 'tar', '-xf', f'{form}.tar', '-C') for form in ('posix', 'gnu')]
python = [tarfile.open(f'{form}.tar').extractfile('image').read() == whole for form in ('posix', 'gnu')]
print(f'(status, files, said), posix and gnu: node-tar {node}; busybox {busybox}; tarfile right: {python}')
other = (0, [('GNUSparseFile', 'other content')], '')
sys.exit(0 if node == [other, (0, [], '')] and busybox[0] == other and busybox[1][0] != 0 and python == [True, True]
         else 'changed: expected two silent wrong files, a silent nothing and an error')
P
python3 run.py
