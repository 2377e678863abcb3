"""Damages archives by a seed, and reads what common tools still find in them.

make SEED COUNT DIR: writes COUNT archives that hold the secret, each changed by one to
three mutations. read DIR: prints, for each tool that can read the secret from a file there,
the tool and the file; a line "SKIPPED tool" for each tool that is not installed.
"""
import bz2, gzip, io, lzma, os, random, shutil, subprocess, sys, tarfile, zipfile, zlib

SECRET = b"the-secret-value"
TOOLS = {"tar": ["-xOf"], "tar -i": ["-xOif"], "bsdtar": ["-xOf"], "unzip": ["-P", "x", "-p"],
         "7zz": ["x", "-so", "-y", "-px"], "gzip": ["-dc"], "busybox": ["unzip", "-p"]}


def content(dice):
    noise = bytes(dice.randrange(256) for _ in range(dice.randrange(2000)))
    return b"a line\n" * dice.randrange(200) + noise + SECRET + noise


def packed(text):
    return gzip.compress(text, mtime=0)


def tar(dice, form):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, text in [("clean.txt", b"clean"), ("secret.txt", content(dice)),
                           ("inner.gz", packed(content(dice)))]:
            info = tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text))
    return out.getvalue()


def zipped(dice, method):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr(zipfile.ZipInfo("clean.txt"), b"clean", method)
        archive.writestr(zipfile.ZipInfo("secret.txt"), content(dice), method)
        archive.writestr(zipfile.ZipInfo("inner.gz"), packed(content(dice)), method)
    return out.getvalue()


def front(dice):
    """Something that a tar archive can lie behind: other formats, whole and damaged."""
    noise = bytes(dice.randrange(256) for _ in range(dice.randrange(100, 900)))
    stored = b"\x78\x01\x00\x80\x00\x7f\xff" + bytes(128)
    small = io.BytesIO()
    with zipfile.ZipFile(small, "w") as archive:
        archive.writestr(zipfile.ZipInfo("clean.txt"), b"clean")
    return dice.choice([
        b"!<arch>\nand a text", b"!<arch>\n" + b"%-48s%-10d`\n" % (b"a.o", len(noise)) + noise,
        stored + b"\x07" + noise, stored + b"\x01\x00\x00\xff\xff" + zlib.adler32(bytes(128)).to_bytes(4, "big"),
        b"\x5d\0\0\x80\0" + b"\xff" * 8 + noise, b"%PDF-1.7\n" + noise,
        b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"skip",
        b"\x50\x2a\x4d\x18" + (1 << 14).to_bytes(4, "little"), small.getvalue()])


def behind(dice):
    file = front(dice)
    return file.ljust(-(-len(file) // 512) * 512, b"\0") + tar(dice, tarfile.GNU_FORMAT)


def base(dice):
    kinds = [lambda: tar(dice, tarfile.PAX_FORMAT), lambda: tar(dice, tarfile.GNU_FORMAT),
             lambda: tar(dice, tarfile.USTAR_FORMAT), lambda: packed(tar(dice, tarfile.GNU_FORMAT)),
             lambda: zipped(dice, zipfile.ZIP_DEFLATED), lambda: zipped(dice, zipfile.ZIP_STORED),
             lambda: packed(content(dice)), lambda: packed(b"clean") + packed(content(dice)),
             lambda: bz2.compress(tar(dice, tarfile.GNU_FORMAT)), lambda: lzma.compress(tar(dice, tarfile.GNU_FORMAT)),
             lambda: behind(dice), lambda: behind(dice)]
    return dice.choice(kinds)()


def mutate(dice, file):
    def noise(most):
        return bytes(dice.randrange(256) for _ in range(dice.randrange(1, most)))

    def flip(low, high):
        at = dice.randrange(min(low, len(file) - 1), max(min(high, len(file)), 1))
        return file[:at] + bytes([file[at] ^ 1 << dice.randrange(8)]) + file[at + 1:]

    if len(file) < 2:
        return base(dice)
    what = dice.randrange(14)
    if what == 0:
        return noise(512 * 3) + file
    if what == 1:
        return bytes(512 * dice.randrange(1, 4)) + file
    if what == 2:
        return noise(513).ljust(512, b"x")[:512] * dice.randrange(1, 4) + file
    if what == 3:
        return file + noise(70_000)
    if what == 4:
        return file + bytes(512 * dice.randrange(1, 30))
    if what == 5:
        return flip(0, 600)
    if what == 6:
        return flip(len(file) - 100, len(file))
    if what == 7:
        return flip(0, len(file))
    if what == 8 and file[:2] == b"\x1f\x8b":
        return file[:3] + bytes([file[3] | 1 << dice.randrange(8)]) + file[4:]
    if what == 9:
        return file[:dice.randrange(len(file) // 2, len(file))]
    if what == 10:
        return file[dice.choice([1, 4, 30, 512, 1024]):]
    if what == 11:
        return base(dice) + file
    if what == 12:
        return packed(file)
    return b"#!/bin/sh\nexit\n" + file


def make(seed, count, where):
    for number in range(int(count)):
        dice = random.Random(f"{seed}-{number}")
        file = base(dice)
        for _ in range(dice.randrange(1, 4)):
            file = mutate(dice, file)
        with open(os.path.join(where, f"{number:05}"), "wb") as out:
            out.write(file)


def holds(text):
    """Whether a file, as a tool has extracted it, is or holds the secret."""
    if text.startswith(b"\x1f\x8b\x08"):
        try:
            text += zlib.decompressobj(31).decompress(text, 1 << 24)
        except zlib.error:
            pass
    return SECRET in text


def by_tarfile(path):
    for ignore in [False, True]:
        try:
            with tarfile.open(path, ignore_zeros=ignore) as archive:
                for member in archive:
                    reader = archive.extractfile(member) if member.isfile() else None
                    yield reader.read() if reader else b""
        except (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError, ValueError, KeyError):
            pass


def by_zipfile(path):
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                try:
                    yield archive.read(name)
                except (zipfile.BadZipFile, RuntimeError, NotImplementedError, zlib.error, EOFError, OSError, ValueError):
                    pass
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError):
        pass


def by_gzip(path):
    text = b""
    with gzip.open(path) as reader:
        while True:
            try:
                piece = reader.read1()
            except (EOFError, OSError, zlib.error):
                break
            if not piece:
                break
            text += piece
    yield text


def read(where):
    installed = {}
    for name, words in TOOLS.items():
        if shutil.which(name.split()[0]):
            installed[name] = [name.split()[0], *words]
        else:
            print("SKIPPED", name)
    for entry in sorted(os.listdir(where)):
        path = os.path.join(where, entry)
        for name, reader in [("tarfile", by_tarfile), ("zipfile", by_zipfile), ("gzip.py", by_gzip)]:
            if any(holds(member) for member in reader(path)):
                print(name, entry, sep="\t")
        for name, words in installed.items():
            try:
                done = subprocess.run([*words, path], stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
            except subprocess.TimeoutExpired:
                continue
            if holds(done.stdout):
                print(name, entry, sep="\t")


if sys.argv[1] == "make":
    make(*sys.argv[2:5])
else:
    read(sys.argv[2])
