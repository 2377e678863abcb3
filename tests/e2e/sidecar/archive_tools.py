"""Makes archives with Python's own libraries, and compares what became of them.

make DIR: writes archives that hold the secret. compare BEFORE AFTER: every
member of each must be there, in order, with its metadata, and masked.
"""
import bz2, gzip, io, lzma, os, shutil, stat, subprocess, sys, tarfile, tempfile, zipfile, zlib

SECRET, MASKED = b"the-secret-value", b"X" * 16
CONTENTS = [("dir/plain.txt", b"clean " * 5000), ("dir/secret.txt", b"a line\n" * 9000 + SECRET + b"\n"),
            ("deep/" * 30 + SECRET.decode() + "/ü.txt", SECRET), ("empty", b""),
            ("inner.gz", gzip.compress(b"x" * 70000 + SECRET)), ("clean.gz", gzip.compress(b"clean"))]


def tar(form):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for number, (name, content) in enumerate(CONTENTS):
            if form == tarfile.USTAR_FORMAT and len(name) > 100:
                name = "p/" * 60 + "n"
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.uid, info.gid = len(content), 0o600 + number, 1000, 1001
            info.mtime = 1700000000.25 if form == tarfile.PAX_FORMAT else 1700000000
            info.uname, info.gname = "somebody", "group"
            archive.addfile(info, io.BytesIO(content))
        for kind, link in [(tarfile.SYMTYPE, SECRET.decode()), (tarfile.LNKTYPE, "empty"), (tarfile.DIRTYPE, "")]:
            info = tarfile.TarInfo("special" + kind.decode())
            info.type, info.linkname = kind, link
            archive.addfile(info)
    return out.getvalue()


def zipped(streamed, method):
    class Pipe(io.BytesIO):
        def seekable(self):
            return not streamed

        def seek(self, *where):
            if streamed:
                raise io.UnsupportedOperation
            return super().seek(*where)

        def tell(self):
            if streamed:
                raise io.UnsupportedOperation
            return super().tell()
    out = Pipe()
    with zipfile.ZipFile(out, "w", method) as archive:
        for number, (name, content) in enumerate(CONTENTS):
            info = zipfile.ZipInfo(name, (2023, 11, 14, 22, 13, 2 * number))
            info.compress_type, info.comment = method, b"about it"
            info.external_attr = (stat.S_IFREG | 0o600 + number) << 16
            with archive.open(info, "w", force_zip64=number == 1) as member:
                member.write(content)
        archive.comment = b"of the archive"
    return out.getvalue()


def zstd(content, *arguments):
    return subprocess.run(["zstd", "--quiet", "--stdout", *arguments], input=content, capture_output=True, check=True).stdout


def sparse(where):
    """What GNU tar and bsdtar make of a file with holes, and no secret in it."""
    with tempfile.TemporaryDirectory() as directory:
        with open(os.path.join(directory, "holes"), "wb") as file:
            for at in range(0, 60 << 20, 1 << 20):
                file.seek(at)
                file.write(b"data " * 1000)
        made = {}
        for name, command in [("gnu", ["tar", "-S", "--format=gnu"]), ("posix", ["tar", "-S", "--format=posix"]), ("bsd", ["bsdtar"])]:
            if shutil.which(command[0]):
                made[f"c.sparse.{name}.tar"] = subprocess.run([*command, "-cf", "-", "-C", directory, "holes"], capture_output=True, check=True).stdout
        return made


def packages(where):
    """Packages of Debian, each with another compression."""
    if not shutil.which("dpkg-deb"):
        return {}
    made = {}
    with tempfile.TemporaryDirectory() as directory:
        for path, text in [("DEBIAN/control", "Package: x\nVersion: 1\nArchitecture: all\nMaintainer: x <x@x.x>\nDescription: x\n"),
                           ("etc/x.conf", "token = " + SECRET.decode() + "\n")]:
            os.makedirs(os.path.dirname(os.path.join(directory, path)), exist_ok=True)
            with open(os.path.join(directory, path), "w") as file:
                file.write(text)
        os.chmod(os.path.join(directory, "DEBIAN"), 0o755)
        for method in ["xz", "gzip", "none"]:
            package = os.path.join(directory, "p.deb")
            subprocess.run(["dpkg-deb", "--build", "--root-owner-group", "-Z", method, directory, package], capture_output=True, check=True)
            with open(package, "rb") as file:
                made[f"d.{method}.deb"] = file.read()
            os.remove(package)
    return made


def make(where):
    files = {"v.pax.tar": tar(tarfile.PAX_FORMAT), "v.gnu.tar": tar(tarfile.GNU_FORMAT),
             "v.ustar.tar": tar(tarfile.USTAR_FORMAT), "v.tar.gz": gzip.compress(tar(tarfile.PAX_FORMAT)),
             "v.zip": zipped(False, zipfile.ZIP_DEFLATED), "v.stored.zip": zipped(False, zipfile.ZIP_STORED),
             "v.streamed.zip": zipped(True, zipfile.ZIP_DEFLATED)}
    secret = tar(tarfile.GNU_FORMAT)
    files.update({"v.tar.xz": lzma.compress(secret), "v.tar.bz2": bz2.compress(secret)})
    if shutil.which("zstd"):
        files["v.tar.zst"] = zstd(secret, "--compress", "--ultra", "-22")
    clean = b"nothing to see " * 1000
    files.update({"c.xz": lzma.compress(clean, preset=9), "c.bz2": bz2.compress(clean), "c.gz": gzip.compress(clean)})
    if shutil.which("zstd"):
        files.update({"c.ultra.zst": zstd(clean, "--ultra", "-22"), "c.long.zst": zstd(clean, "--long=27")})
    files.update({"c.lzma": lzma.compress(clean, lzma.FORMAT_ALONE, preset=9), "c.zz": zlib.compress(clean)})
    files.update(sparse(where))
    files.update(packages(where))
    for name, content in files.items():
        with open(os.path.join(where, name), "wb") as file:
            file.write(content)


def masked(value):
    value = value.replace(SECRET, MASKED) if isinstance(value, bytes) else value.replace(SECRET.decode(), "X" * 16)
    return value


def content(name, data):
    return gzip.decompress(data) if name.endswith(".gz") else data


def members(path):
    if ".zip" in path:
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            assert archive.comment == b"of the archive"
            return [((i.filename, i.date_time, i.external_attr, i.compress_type, i.comment),
                     content(i.filename, archive.read(i))) for i in archive.infolist()]
    opened = {"fileobj": io.BytesIO(zstd(open(path, "rb").read(), "--decompress"))} if path.endswith(".zst") else {"name": path}
    with tarfile.open(**opened) as archive:
        return [((i.name, i.mtime, i.mode, i.uid, i.gid, i.uname, i.gname, i.type, i.linkname),
                 content(i.name, archive.extractfile(i).read()) if i.isreg() else b"") for i in archive]


def compare(before, after):
    for name in sorted(os.listdir(after)):
        if name.startswith("d."):
            archive = subprocess.run(["dpkg-deb", "--fsys-tarfile", os.path.join(after, name)], capture_output=True, check=True).stdout
            with tarfile.open(fileobj=io.BytesIO(archive)) as members_of_it:
                assert members_of_it.extractfile("./etc/x.conf").read() == b"token = " + MASKED + b"\n", name
            continue
        if name.startswith("c."):
            one, other = (open(os.path.join(where, name), "rb").read() for where in (before, after))
            assert one == other, name
            continue
        expected = [(tuple(masked(v) if isinstance(v, (str, bytes)) else v for v in meta), masked(data))
                    for meta, data in members(os.path.join(before, name))]
        found = members(os.path.join(after, name))
        assert len(expected) == len(found), name
        for one, other in zip(expected, found):
            assert one == other, (name, one[0], other[0], len(one[1]), len(other[1]))
    print(" ".join(sorted(os.listdir(after))))


if __name__ == "__main__":
    make(sys.argv[2]) if sys.argv[1] == "make" else compare(*sys.argv[2:])
