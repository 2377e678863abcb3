#!/usr/bin/env bash
# A three-byte file packed with `xz -9` from a pipe asks its reader for 65 MiB.
#
# Guess: a reader that allows 64 MiB for unpacking opens every .xz whose content is small; the memory that a decoder needs follows the
# data, as the documents of the format's presets suggest ("-9 makes sense for files larger than 32 MiB").
# Seen (xz 5.x of the distribution, Python's lzma): the header of the tiny file names the whole 64 MiB dictionary of the preset,
# since the size is unknown when it is written; a limit of 64 MiB refuses it. Readers that want small files to open must limit what is unpacked, not
# what the header asks for.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
command -v xz >/dev/null || { echo 'needs xz (Debian: xz-utils)'; exit 2; }
xz --version | head -n 1
printf 'hi\n' | xz -9 >small.xz
xz --robot -lvv small.xz | awk -F '\t' '$1 == "block" || $1 == "file" || $1 == "summary"'
python3 - <<'P'
import lzma, sys
packed = open('small.xz', 'rb').read()
def unpacked(limit):
    try:
        return lzma.LZMADecompressor(memlimit=limit).decompress(packed)
    except lzma.LZMAError as error:
        return str(error)
tight, wide = unpacked(64 << 20), unpacked(66 << 20)
print(f'{len(packed)} bytes; with a limit of 64 MiB: {tight!r}; of 66 MiB: {wide!r}')
sys.exit(0 if wide == b'hi\n' and isinstance(tight, str) else 'changed: expected a refusal at 64 MiB and the text at 66 MiB')
P
