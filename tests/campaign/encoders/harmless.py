"""Collects files of what is installed, and packs some of them with the packers that are there.

harmless.py DIRECTORY COUNT ROOT…: about COUNT files of each ROOT's kinds, small ones, and archives of the first of them.
"""
import collections, hashlib, json, os, shutil, sqlite3, subprocess, sys

OUT, COUNT, ROOTS = sys.argv[1], int(sys.argv[2]), sys.argv[3:]

# Larger ones take long and show nothing else.
MAX_BYTES = 192 << 10

# Broken on purpose, made while we look, or with secrets of tests.
LEFT_OUT = ("/testdata/", "/tests/", "/test/", "/__pycache__/", "/.git/")

PACKERS = {
    "gz": "gzip -9c one", "xz": "xz -6c one", "9.xz": "xz -9ec <one", "lzma": "xz --format=lzma -c one", "bz2": "bzip2 -c one", "zst": "zstd -qc one",
    "22.zst": "zstd -q --ultra -22 --long=27 -c <one", "v7.tar": "tar --format=v7 -cf - one two", "ustar.tar": "tar --format=ustar -cf - one two",
    "gnu.tar": "tar --format=gnu -cf - one two", "pax.tar": "tar --format=pax -cf - one two", "tgz": "tar -czf - one two", "tar.xz": "tar -cJf - one two",
    "tar.zst": "tar --zstd -cf - one two", "tar.bz2": "tar -cjf - one two", "sparse.tar": "truncate -s 1M hole; cat one >>hole; tar -S -cf - hole",
    "zip": "zip -q - one two", "0.zip": "zip -q0 - one two", "stream.zip": "cat one | zip -q - -", "bsd.tar": "bsdtar -cf - one two",
    "cpio": "bsdtar --format=cpio -cf - one two", "iso": "bsdtar --format=iso9660 -cf - one two", "bsd.zip": "bsdtar --format=zip -cf - one two",
    "7z": "7zz a -bso0 x.7z one && cat x.7z", "a": "ar rcD x.a one two && cat x.a", "bundle": "git init -q g && cd g && cp ../one . && git add one && "
    "git -c user.name=n -c user.email=e commit -qm m && git bundle create -q - HEAD", "hex": "xxd one", "b64": "base64 one", "gz.gz": "gzip -c one | gzip -c",
    "jar": "mkdir -p META-INF; cp one META-INF/MANIFEST.MF; zip -qr - META-INF two", "nested.zip": "zip -q inner.zip one; tar -cf inner.tar two; zip -q - inner.zip inner.tar",
}


def kind(path):
    name = os.path.basename(path)
    return name.rpartition(".")[2].lower() if "." in name[1:] else "none"


def candidates(root):
    found = collections.defaultdict(list)
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not os.path.islink(os.path.join(folder, name))]
        for name in names:
            path = os.path.join(folder, name)
            if not any(part in path for part in LEFT_OUT) and os.path.isfile(path) and not os.path.islink(path) and 0 < os.path.getsize(path) <= MAX_BYTES:
                found[kind(path)].append(path)
    return found


def collected():
    for number, root in enumerate(ROOTS):
        of_kind = candidates(root)
        each = max(2, COUNT // max(1, len(of_kind)))
        for paths in of_kind.values():
            # The same ones on a machine of the same kind, and not all of one folder.
            paths.sort(key=lambda path: hashlib.sha1(os.path.relpath(path, root).encode()).digest())
            for path in paths[:each]:
                yield f"{number}-{hashlib.sha1(path.encode()).hexdigest()[:6]}-{os.path.basename(path)}", path


def main():
    kept = []
    for name, path in collected():
        if len(name) < 120 and name.isprintable():
            shutil.copyfile(path, os.path.join(OUT, name))
            kept.append(name)
    scratch, failed = os.path.join(OUT, "scratch"), []
    for number in range(0, min(len(kept) - 1, 60), 20):
        os.mkdir(scratch)
        for to, name in zip(("one", "two"), kept[number:]):
            shutil.copyfile(os.path.join(OUT, name), os.path.join(scratch, to))
        for ending, command in PACKERS.items():
            path = os.path.join(OUT, f"packed-{number}.{ending}")
            with open(path, "wb") as out:
                if subprocess.run(["sh", "-c", command], cwd=scratch, stdout=out, stderr=subprocess.DEVNULL).returncode:
                    failed.append(ending)
        shutil.rmtree(scratch)
    with sqlite3.connect(os.path.join(OUT, "data.sqlite")) as database:
        database.execute("create table t (a primary key, b)")
        database.executemany("insert into t values (?, ?)", [(name, json.dumps(name)) for name in kept])
    print(len(os.listdir(OUT)), "files")
    if failed:
        print("missing: what packs", " ".join(sorted(set(failed))))


main()
