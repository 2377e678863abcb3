"""Reads what the writers wrote, each file with the matching reader, and looks for secrets in it.

read.py there SECRETS DIRECTORY: each file holds its secret, as its reader sees it.
read.py gone SECRETS DIRECTORY BEFORE: no file does, with that reader or with decoders that fit any text, and documents
still parse. Both print how many files they read; what is wrong ends them with an error.
"""
import ast, base64, binascii, bz2, codecs, configparser, csv, email, email.policy, gzip, html, html.parser, io, json, lzma, os, pickle
import plistlib, re, shlex, sqlite3, subprocess, sys, tarfile, urllib.parse, xml.etree.ElementTree as etree, zipfile, zlib

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# Formats whose masked documents must still parse.
DOCUMENTS = {"json", "json-twice", "json-numbers", "json-base64", "json-html", "yaml", "yaml-base64", "yaml-registry", "xml", "html", "csv", "tsv", "ini", "plist",
             "entries", "xml-json", "html-json", "properties", "pdf"}

# Writers and secrets of which sidecar/README.md says that they are not found.
GAPS = [
    ("py-curl-trace-ascii", ".*", "wrapped, with something in front of each line"),
    ("py-zip-14", ".*", "members packed with LZMA, of which a note tells"),
    ("py-textwrap-.*", "tabs", "a tab that became blanks"),
    ("php-entities", "wide", "names of entities beyond Latin-1"),
    ("node-cli-table3", "wide", "shortened, and not generated"),
]

# Share of a secret's runs of six characters that make a leak.
LEAK = 0.5

# The share that a reader finds at least in what is not masked: a table cuts a column off.
MOST = 0.8


def unescaped(text):
    """Replaces backslash escapes of every language by what they stand for."""
    def one(match):
        e = match.group(1)
        if e[0] in "uUx" and len(e) > 1:
            return chr(int(e.strip("uUx{}"), 16) % 0x110000)
        if e[0] in "01234567":
            return chr(int(e, 8) % 256)
        return {"n": "\n", "t": "\t", "r": "\r", "e": "\x1b", "E": "\x1b", "\n": ""}.get(e, e)
    text = re.sub(r"\\(u\{[0-9a-fA-F]{1,6}\}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|x[0-9a-fA-F]{2}|[0-7]{1,3}|.|\n)", one, text, flags=re.S)
    return pairs(text)


def pairs(text):
    """Joins the halves of characters, and bytes of UTF-8 that stand for themselves."""
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text + "\0" + text.encode("latin-1", "ignore").decode("utf-8", "replace")


def leaves(data):
    if isinstance(data, dict):
        return [text for key, value in data.items() for text in [str(key), *leaves(value)]]
    if isinstance(data, (list, tuple, set)):
        return [text for value in data for text in leaves(value)]
    if isinstance(data, bytes):
        return [data.decode(errors="replace")]
    if isinstance(data, str) and data[:2] in ('{"', '["'):
        try:
            return [data, *leaves(json.loads(data))]
        except ValueError:
            return [data]
    return [str(data)]


def of_json(text):
    try:
        return leaves(json.loads(text))
    except json.JSONDecodeError:
        return leaves([json.loads(line) for line in text.splitlines() if line])


def of_base64(text):
    found = []
    text = re.sub(r"\s+", "", text.translate(str.maketrans("-_", "+/")))
    for run in re.findall(r"[A-Za-z0-9+/]{8,}", text):
        for at in range(4):
            part = run[at:]
            found.append(base64.b64decode(part[: len(part) // 4 * 4] if len(part) % 4 == 1 else part + "=" * (-len(part) % 4)).decode(errors="replace"))
    return found


def of_base32(text):
    run = re.sub(r"[\s=]+", "", text)
    return [base64.b32decode(run + "=" * (-len(run) % 8)).decode(errors="replace")]


def of_hex(text, prefix=""):
    digits = re.findall(r"0x([0-9a-fA-F]{1,2})", text) if prefix else re.findall(r"[0-9a-fA-F]{2}", text)
    return [bytes(int(pair, 16) for pair in digits).decode(errors="replace")]


def of_dump(text):
    """The numbers of a dump, and its column of characters."""
    raw, shown = bytearray(), ""
    for line in text.splitlines():
        match = re.match(r"\s*[0-9a-fA-F]{4,8}:?\s+((?:[0-9a-fA-F]{2,4}\s{1,2}){1,17})\s*(.*)$", line + " ")
        if match:
            raw += bytes.fromhex(re.sub(r"\s", "", match.group(1)))
            shown += match.group(2).strip("|>< ")
    return [raw.decode(errors="replace"), shown]


def of_numbers(text):
    return [bytes(int(number) & 255 for number in re.findall(r"-?\b\d{1,3}\b", text)).decode(errors="replace")]


def of_xml(text):
    return [part for e in etree.fromstring(text).iter() for part in [e.text or "", e.tail or "", *e.attrib.values()]]


def of_entries(text):
    """Properties of Java, which writes the halves of a character (JDK 17)."""
    whole = re.sub("&#x(d[89ab]..);&#x(d[c-f]..);", lambda m: pairs(chr(int(m[1], 16)) + chr(int(m[2], 16)))[0], text)
    return of_xml(re.sub(r"<!DOCTYPE[^>]*>|<\?xml[^>]*>", "", whole))


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.texts = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.texts += [value or "" for _, value in attributes]

    def handle_data(self, data):
        self.texts.append(data)


def of_ini(text):
    ini = configparser.RawConfigParser()
    ini.read_string(text)
    return [value for section in ini.sections() for value in ini[section].values()]


def of_url(text, form=False):
    texts = [urllib.parse.unquote_plus(text) if form else urllib.parse.unquote(text)]
    # Some writers leave what is an escape already.
    return texts + [urllib.parse.unquote(texts[0]), text]


def of_shell(text):
    return [part for word in shlex.split(text) for part in (word, unescaped(word))]


def folded(text):
    """Text without boxes and colours."""
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]|[\u2500-\u259f]|(?m:^\||\|\s*$|^[-=+|:]{3,}$)", "", text)


def of_mail(raw):
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    return [str(mail["subject"])] + [part.get_content() for part in mail.walk() if not part.is_multipart()]


def of_tar(raw):
    if raw.startswith(b"\x28\xb5\x2f\xfd"):
        raw = of_zstd(raw)
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        return b"\n".join(archive.extractfile(member).read() for member in archive if member.isfile())


def of_zip(raw):
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        return b"\n".join(archive.read(name) for name in archive.namelist())


def of_zstd(raw):
    return subprocess.run(["zstd", "-dcq", "--long=27"], input=raw, capture_output=True, check=True).stdout


def of_sqlite(path):
    with sqlite3.connect(path) as database:
        return [str(value) for row in database.execute("select * from t") for value in row]


def of_pdf(raw):
    import pypdf
    document = pypdf.PdfReader(io.BytesIO(raw), strict=True)
    texts = [page.extract_text() for page in document.pages] + [str(value) for value in (document.metadata or {}).values()]
    return texts + [text(content) for contents in document.attachments.values() for content in contents]


def text(raw):
    return raw.decode(errors="replace")


def nested(texts):
    return [part for one in texts for part in leaves(one)]


def lines_of_base64(texts):
    return [part for one in texts for part in of_base64(one)]


READERS = {
    "text": lambda raw: [text(raw)],
    "json": lambda raw: of_json(text(raw)),
    "json-tail": lambda raw: of_json(text(raw)[text(raw).index("{"):]),
    "json-numbers": lambda raw: [str(json.loads(raw)), *(part for one in re.findall(r"\[[\d,\s]*\]", text(raw)) for part in of_numbers(one))],
    "json-base64": lambda raw: lines_of_base64(of_json(text(raw))),
    "json-go": lambda raw: [unescaped(one) for one in of_json(text(raw))],
    "json-html": lambda raw: [part for one in Page(text(raw)).texts for part in leaves(json.loads(one) if one[:1] in "{\"[" and one else one)],
    "html-json": lambda raw: [part for one in Page(text(raw)).texts if one for part in leaves(json.loads(one))],
    "xml-json": lambda raw: [part for one in of_xml(text(raw)) if one for part in leaves(json.loads(one))],
    "yaml": lambda raw: leaves(list(yaml.load_all(raw, LOADER))),
    "yaml-base64": lambda raw: lines_of_base64(leaves(list(yaml.load_all(raw, LOADER)))),
    "yaml-registry": lambda raw: [part for one in lines_of_base64(leaves(yaml.load(raw, LOADER))) for part in [one, unescaped(one), *of_base64(one)]],
    "xml": lambda raw: of_xml(raw),
    "entries": lambda raw: of_entries(text(raw)),
    "plist": lambda raw: leaves(plistlib.loads(raw)),
    "html": lambda raw: Page(text(raw)).texts,
    "csv": lambda raw: leaves(list(csv.reader(io.StringIO(text(raw), newline="")))),
    "tsv": lambda raw: leaves(list(csv.reader(io.StringIO(text(raw), newline=""), delimiter="\t"))),
    "ini": lambda raw: of_ini(text(raw)),
    "properties": lambda raw: [unescaped(line.partition("=")[2]) for line in text(raw).splitlines() if not line.startswith("#")],
    "repr": lambda raw: leaves(ast.literal_eval(text(raw))),
    "url": lambda raw: of_url(text(raw)),
    "url-lines": lambda raw: of_url(text(raw)),
    "form": lambda raw: of_url(text(raw), True),
    "percent-u": lambda raw: [pairs(re.sub(r"%u([0-9a-fA-F]{4})|%([0-9a-fA-F]{2})", lambda m: chr(int(m[1] or m[2], 16)), text(raw)))],
    "base64": lambda raw: nested(of_base64(text(raw).rpartition(",")[2])),
    "base64-twice": lambda raw: lines_of_base64(of_base64(text(raw))),
    "basic": lambda raw: of_base64(re.search(rb"Basic ([A-Za-z0-9+/=X]+)\r", raw)[1].decode()),
    "base32": lambda raw: of_base32(text(raw)),
    "hex": lambda raw: of_hex(text(raw)),
    "hex-prefixed": lambda raw: of_hex(text(raw), "0x"),
    "dump": lambda raw: of_dump(text(raw)),
    "numbers": lambda raw: of_numbers(text(raw)),
    "folded": lambda raw: [folded(text(raw))],
    "repr-folded": lambda raw: [unescaped(folded(text(raw)))],
    "js-folded": lambda raw: [unescaped(re.sub(r"['\"`] \+\n\s*['\"`]", "", folded(text(raw))))],
    "quoted-printable": lambda raw: [text(binascii.a2b_qp(raw))],
    "mail": of_mail,
    "pickle": lambda raw: leaves(pickle.loads(raw)),
    "shell": lambda raw: of_shell(re.sub(r"\$'((?:[^'\\]|\\.)*)'", lambda m: shlex.quote(unescaped(m[1]).partition("\0")[0]), text(raw), flags=re.S)),
    "gzip": lambda raw: [text(gzip.decompress(raw))],
    "bzip2": lambda raw: [text(bz2.decompress(raw))],
    "xz": lambda raw: [text(lzma.decompress(raw))],
    "zstd": lambda raw: [text(of_zstd(raw))],
    "zlib": lambda raw: [text(zlib.decompress(raw))],
    "tar": lambda raw: [text(of_tar(raw))],
    "zip": lambda raw: [text(of_zip(raw))],
    "ar": lambda raw: [text(raw)],
    "pdf": of_pdf,
}
for escaped in ("escaped", "js", "ruby", "php", "go", "declared", "traced", "ansi-c", "repr-line", "ls"):
    READERS[escaped] = lambda raw: [unescaped(text(raw)), text(raw)]
for wide in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"):
    READERS[wide] = lambda raw, wide=wide: [raw.decode(wide, "replace")]


def of_any(raw):
    """Returns the texts that decoders find which fit anything."""
    plain = text(raw)
    once = [plain, html.unescape(plain), urllib.parse.unquote_plus(plain), unescaped(plain), folded(plain)]
    return once + [html.unescape(once[3]), unescaped(once[1]), unescaped(once[2]), unescaped(once[3])] + of_base64(plain)


def bare(text):
    """Letters and digits: what every quoting leaves."""
    return re.sub(r"[\W_]+|X{4,}", "", text)


def share(secret, texts):
    """The share of a secret's runs of six characters that the texts hold."""
    whole = bare(secret)
    runs = {whole[at : at + 6] for at in range(max(1, len(whole) - 5))}
    return max((sum(run in squeezed for run in runs) / len(runs) for squeezed in map(bare, texts)), default=0)


def secrets_of(file, secrets):
    name = file.rpartition(".")[0].split("__")[1]
    return secrets if name == "all" else {name: secrets[name]}


def is_gap(file, name):
    return any(re.fullmatch(writer, file.split("__")[0]) and re.fullmatch(secret, name) for writer, secret, _ in GAPS)


def read(path, reader):
    if reader == "sqlite":
        return of_sqlite(path)
    return READERS[reader](open(path, "rb").read())


def there(secrets, directory):
    wrong = []
    for file in sorted(os.listdir(directory)):
        try:
            texts = read(os.path.join(directory, file), file.rpartition(".")[2])
        except Exception as error:
            wrong.append(f"{file}: {type(error).__name__}: {error}")
            continue
        for name, secret in secrets_of(file, secrets).items():
            if share(secret, texts) < MOST:
                wrong.append(f"{file}: {share(secret, texts):.2f} of {name} is in {texts}")
    return wrong


def gone(secrets, directory, before):
    wrong = []
    for file in sorted(os.listdir(before)):
        path, reader = os.path.join(directory, file), file.rpartition(".")[2]
        if not os.path.exists(path):
            wrong.append(f"{file}: withheld: " + open(path + ".withheld.txt").read())
            continue
        try:
            texts = read(path, reader)
        except Exception as error:
            texts = []
            if reader in DOCUMENTS or reader in ("gzip", "bzip2", "xz", "zstd", "zlib", "tar", "zip", "ar", "sqlite"):
                wrong.append(f"{file}: {type(error).__name__}: {error}: {open(path, 'rb').read(300)}")
        raw = open(path, "rb").read()
        for name, secret in secrets_of(file, secrets).items():
            found = share(secret, texts + of_any(raw))
            if found >= LEAK and not is_gap(file, name):
                wrong.append(f"{file}: a leak: {found:.2f} of {name} is in {raw[:600]}")
    return wrong


def main():
    secrets = json.load(open(sys.argv[2]))
    wrong = there(secrets, sys.argv[3]) if sys.argv[1] == "there" else gone(secrets, *sys.argv[3:5])
    print(len(os.listdir(sys.argv[3])), "files")
    sys.exit("\n".join([f"{len(wrong)} of them are wrong", *wrong]) if wrong else 0)


if __name__ == "__main__":
    main()
