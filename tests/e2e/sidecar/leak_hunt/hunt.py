"""Hides secrets in a pod, and unpacks what was delivered.

    hunt.py plant DIRECTORY MEBIBYTES SEED   makes secrets, log volume, later values
    hunt.py unpack FROM TO                   copies all files, unpacked as deep as they go

Everything here is written without a look at the programs under test: encodings
and archives are those of the standard library and of bash.
"""

import base64, bz2, gzip, html, io, json, lzma, os, quopri, random, shlex, subprocess, sys, tarfile, urllib.parse, zipfile

PRINTABLE = "".join(chr(c) for c in range(33, 127))
WORDS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def text(rng, letters, length):
    return "".join(rng.choice(letters) for _ in range(length))


def make_secret(rng, kind):
    """One secret: token, password, key in lines, JWT, passphrase, odd bytes."""
    if kind == 0:
        return text(rng, WORDS, rng.randint(20, 60)).encode()
    if kind == 1:
        return text(rng, PRINTABLE, rng.randint(16, 40)).encode()
    if kind == 2:
        lines = [text(rng, WORDS + "+/", 64) for _ in range(5)] + [text(rng, WORDS, 30)]
        return ("-----BEGIN KEY-----\n" + "\n".join(lines) + "\n-----END KEY-----\n").encode()
    if kind == 3:
        return ("eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9." + text(rng, WORDS + "-_", 120)).encode()
    if kind == 4:
        words = [text(rng, WORDS[:26], rng.randint(4, 9)) for _ in range(5)]
        return (" ".join(words) + "'s \"quoted\" é<ü>&$x\\y").encode()
    return bytes(rng.randint(128, 255) for _ in range(4)) + text(rng, WORDS, 14).encode() + bytes([254, 255])


def mixed(rng, digits):
    return "".join(rng.choice([c.upper(), c.lower()]) for c in digits)


def go_json(value):
    escaped = json.dumps(value, ensure_ascii=False)
    return escaped.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def wrapped(data, columns, end):
    coded = base64.b64encode(data).decode()
    return end.join(coded[at : at + columns] for at in range(0, len(coded), columns))


def forms(rng, secret):
    """Name and bytes of each way to write a secret."""
    bare = secret.strip()
    yield "plain", bare
    yield "base64", base64.b64encode(bare)
    yield "base64-newline", base64.b64encode(bare + b"\n")
    yield "base64-as-read", base64.b64encode(secret)
    yield "base64url", base64.urlsafe_b64encode(bare)
    yield "base64-unpadded", base64.b64encode(bare).rstrip(b"=")
    for before in (1, 2):
        # What the value alone decides.
        coded = base64.b64encode(b"\0" * before + bare + b"\0" * 2)
        yield f"base64-shift{before}", coded[(before * 8 + 5) // 6 : (before + len(bare)) * 8 // 6]
    yield "base64-76", wrapped(bare, 76, "\n").encode()
    yield "base64-64", wrapped(bare, 64, "\r\n").encode()
    yield "hex", bare.hex().encode()
    yield "hex-upper", bare.hex().upper().encode()
    yield "hex-mixed", mixed(rng, bare.hex()).encode()
    quoted = urllib.parse.quote(bare, safe="")
    yield "percent", quoted.encode()
    yield "percent-slash", urllib.parse.quote(bare, safe="/").encode()
    yield "percent-plus", urllib.parse.quote_plus(bare).encode()
    for change in (str.lower, lambda digits: mixed(rng, digits)):
        parts = quoted.split("%")
        yield "percent-case", "%".join(parts[:1] + [change(part[:2]) + part[2:] for part in parts[1:]]).encode()
    yield "base64-60", wrapped(bare, 60, "\n").encode()
    yield "base64-48-indented", wrapped(bare, 48, "\n        ").encode()
    yield "base64 twice", base64.b64encode(base64.b64encode(b"user:" + bare))
    yield "base32", base64.b32encode(bare)
    yield "decimal numbers", str(list(bare)).encode()
    yield "decimal lines", "".join(f"    - {byte}\n" for byte in bare).encode()
    yield "hex with colons", bare.hex(":").encode()
    yield "hex with blanks", bare.hex(" ").encode()
    yield "hex of C", ", ".join(f"0x{byte:02x}" for byte in bare).encode()
    yield "percent, twice", urllib.parse.quote(quoted, safe="").encode()
    yield "percent, userinfo", urllib.parse.quote(bare, safe="$&+,;=-_.~!*'()").encode()
    try:
        words = bare.decode()
    except UnicodeDecodeError:
        return
    yield "html", html.escape(words).encode()
    yield "html in json", json.dumps(html.escape(words))[1:-1].encode()
    yield "json in json", json.dumps(json.dumps(words))[3:-3].encode()
    yield "json in json in json", json.dumps(json.dumps(json.dumps(words)))[7:-7].encode()
    yield "utf-16-le", words.encode("utf-16-le")
    yield "utf-16-be", words.encode("utf-16-be")
    yield "utf-32-le", words.encode("utf-32-le")
    yield "quoted-printable", quopri.encodestring(bare)
    yield "csv", words.replace('"', '""').encode()
    if not set(words) & set("\\%&"):
        yield "folded", "\n    ".join(words[at : at + 17] for at in range(0, len(words), 17)).encode()
        yield "coloured", "\x1b[31m\x1b[K".join(words[at : at + 9] for at in range(0, len(words), 9)).encode()
    yield "json", json.dumps(words)[1:-1].encode()
    yield "json-utf8", json.dumps(words, ensure_ascii=False)[1:-1].encode()
    yield "json-go", go_json(words)[1:-1].encode()
    yield "json-slash", json.dumps(words, ensure_ascii=False)[1:-1].replace("/", "\\/").encode()
    quoted = shlex.quote(words)
    yield "shell-single", (quoted if quoted == words else quoted[1:-1]).encode()
    yield "shell-backslash", words.replace("'", "'\\''").encode()
    yield "shell-double", "".join("\\" + c if c in '"$`\\' else c for c in words).encode()
    if words.isascii():
        yield "shell-printf", subprocess.run(["bash", "-c", 'printf %q "$1"', "x", words], capture_output=True).stdout
    yield "yaml-single", words.replace("'", "''").encode()
    for line in words.splitlines():
        if len(line) >= 16 and not line.startswith("-----"):
            yield "line", line.encode()


def filler(rng):
    """A mebibyte of what tests write."""
    lines = []
    size = 0
    while size < 1 << 20:
        line = f"2026-03-11T08:{rng.randint(0, 59):02}:01Z INFO {text(rng, WORDS, rng.randint(5, 90))} reconcile ok\n"
        lines.append(line)
        size += len(line)
    return "".join(lines).encode()[: 1 << 20]


def tar(members, mode="w"):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def zipped(members, method):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return packed.getvalue()


def put(directory, name, content):
    path = os.path.join(os.fsencode(directory), os.fsencode(name))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)


def plant(directory, mebibytes, seed):
    rng = random.Random(seed)
    secrets = [make_secret(rng, number % 6) for number in range(200)]
    patterns = set()
    logs = os.path.join(directory, "logs")
    items = os.path.join(logs, "artifacts")
    ways = set()
    block = filler(rng)

    def hide(way, name, content):
        ways.add(way)
        put(items, name, content)

    def known(way, secret):
        ways.add(way)
        return secret

    # Where they are kept: plain files, files of several kinds, values that come later.
    docker, ini, kube = {"auths": {}}, [], []
    for number, secret in enumerate(list(secrets)):
        bare = secret.strip()
        is_line = bare.isascii() and b"\n" not in bare and number % 6 in (0, 3)
        place = number % 10
        if place == 6 and is_line:
            docker["auths"][f"r{number}"] = {"password": known("of .dockerconfigjson", bare).decode()}
        elif place == 8 and is_line:
            ini.append(f"k{number} = {known('of an INI file', bare).decode()}\n")
        elif place == 2 and is_line:
            kube.append({"name": f"u{number}", "user": {"token": known("of a kubeconfig", bare).decode()}})
        elif place == 4 and len(bare) >= 8:
            put(directory, f"later/added/s{number}", known("added by the job", secret))
        elif place == 5:
            put(directory, f"secrets/rotated{number}", known("rotated, as it was", secret))
            fresh = make_secret(rng, number % 6)
            put(directory, f"later/secrets/rotated{number}", known("rotated, as it is", fresh))
            secrets.append(fresh)
        else:
            put(directory, f"secrets/s{number}", secret)
    put(directory, "secrets/.dockerconfigjson", json.dumps(docker).encode())
    put(directory, "secrets/cred.ini", ("[default]\n" + "".join(ini)).encode())
    put(directory, "secrets/kubeconfig", json.dumps({"users": kube}).encode())

    log, metadata = [], {}
    for number, secret in enumerate(secrets):
        bare = secret.strip()
        printable = bare.decode("utf-8", "replace") if b"\n" not in bare else None
        for form, coded in forms(rng, secret):
            ways.add(form)
            # Pieces of a form that are shorter could stand anywhere.
            if len(coded) >= 12:
                case = form.startswith(("hex", "percent"))
                patterns.add(("i " if case else "c ") + (coded.lower() if case else coded).hex())
            hide(form, f"f{number}/{form}.txt", b"before " + coded + b" behind\n")
            hide("without borders", f"f{number}/{form}-bare", coded)
            if rng.random() < 0.3:
                log.append(b"log " + coded)
        at = rng.choice([65536, 262144, 524288]) - rng.randint(0, len(bare))
        hide("across chunks", f"f{number}/across", block[:at] + bare + block[at : at + 9000])
        other = secrets[rng.randrange(len(secrets))].strip()
        hide("side by side", f"f{number}/beside", bare + bare + other + bare)
        hide("prefixed lines", f"f{number}/lines", b"".join(b"> " + line + b"\r\n" for line in bare.split(b"\n")))
        for way, content in (
            ("gzip", gzip.compress(b"x " + bare)),
            ("gzip of several members", gzip.compress(b"x " + bare[:7]) + gzip.compress(bare[7:])),
            ("tar", tar([("member", bare)])),
            ("tar.gz", tar([("member", bare)], "w:gz")),
            ("zip, deflated", zipped([("member", bare * 9)], zipfile.ZIP_DEFLATED)),
            ("zip, stored", zipped([("a", b"x"), ("member", bare)], zipfile.ZIP_STORED)),
            ("tar.gz in zip", zipped([("i.tgz", tar([("m", bare)], "w:gz"))], zipfile.ZIP_DEFLATED)),
            ("zip in tar.gz", tar([("i.zip", zipped([("m", bare)], zipfile.ZIP_DEFLATED))], "w:gz")),
            ("bzip2", bz2.compress(b"x " + bare)),
            ("xz", lzma.compress(b"x " + bare)),
        ):
            hide(way, f"packed{number}/{way}", content)
        if printable and "/" not in printable and len(os.fsencode(printable)) < 200:
            name = bare if number % 2 else printable.encode()
            hide("a file's name", b"names/%d " % number + name, b"harmless")
            hide("a directory's name", b"names/d%d " % number + name + b"/file", b"harmless")
            hide("the same masked name", b"names/" + name, b"harmless")
        if printable:
            metadata[f"m{number}"] = {"value": printable, "list": [printable + "!", len(printable)]}
            metadata[f"key {printable}"] = 1
            ways.update(("a metadata value", "a metadata key"))
    ways.add("the process log")
    put(logs, "test-log.txt", block + b"\n".join(log) + b"\n")
    put(logs, "artifacts/test-metadata.json", json.dumps(metadata, ensure_ascii=False).encode())
    for number in range(mebibytes):
        put(items, f"filler/{number % 50}/{number}", block if number % 2 else rng.randbytes(1 << 20))
    plain = [secret.strip().decode() for secret in secrets[0:4:3]]
    put(directory, "plain", "\n".join(plain).encode())
    put(directory, "patterns", "\n".join(sorted(patterns)).encode())
    put(directory, "ways", "\n".join(sorted(ways)).encode())


def unpacked(content, depth=0):
    """A file's bytes, and those of everything in it."""
    yield content
    if depth > 6:
        return
    try:
        if content[:2] == b"\x1f\x8b":
            yield from unpacked(gzip.decompress(content), depth + 1)
        elif content[:3] == b"BZh":
            yield from unpacked(bz2.decompress(content), depth + 1)
        elif content[:6] == b"\xfd7zXZ\0":
            yield from unpacked(lzma.decompress(content), depth + 1)
        elif content[:2] == b"PK":
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                for info in archive.infolist():
                    yield info.filename.encode() + b"\n" + info.comment
                    yield from unpacked(archive.read(info), depth + 1)
        elif content[257:262] == b"ustar":
            with tarfile.open(fileobj=io.BytesIO(content)) as archive:
                for info in archive:
                    yield info.name.encode("utf-8", "surrogateescape") + b"\n"
                    if info.isfile():
                        yield from unpacked(archive.extractfile(info).read(), depth + 1)
    except (OSError, EOFError, zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError) as error:
        print(f"not unpacked: {error}", file=sys.stderr)


def unpack(source, target):
    os.makedirs(target)
    with open(os.path.join(target, "names"), "wb") as names:
        number = 0
        for directory, _, files in os.walk(os.fsencode(source)):
            for file in files:
                path = os.path.join(directory, file)
                names.write(os.path.relpath(path, os.fsencode(source)) + b"\n")
                with open(path, "rb") as opened:
                    content = opened.read()
                for part in unpacked(content):
                    number += 1
                    put(target, f"{number % 100}/{number}", os.path.basename(path)[:40] + b"\n" + part)


if __name__ == "__main__":
    if sys.argv[1] == "plant":
        plant(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        unpack(sys.argv[2], sys.argv[3])
