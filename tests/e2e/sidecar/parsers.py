"""Writes documents that hold a secret, and parses what masking left of them.

make DIR: writes `secrets/N` and documents `N.WHAT.FORMAT`. check BEFORE AFTER: each
document still parses, has as many parts as before, and the secret in none of them.
"""
import configparser, csv, html, html.parser, io, json, os, sys, xml.etree.ElementTree as etree
from xml.sax.saxutils import escape, quoteattr

try:
    import yaml
except ImportError:
    yaml = None

SECRETS = [
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a", "correct-horse-battery", "12345678", "1234567890123456",
    "-1234567.5e10", "123456789012.34", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "pa<ss>&\"wo'rd\"]]>",
    "a=b&c=d%20e+f;g", "it's \"quoted\" twice", "C:\\temp\\new\\u0041", "user:pass@host:5432/db?x=1", "# no: comment",
    "- no list", "[not, a, list]", "{not: a map}", "key = value", "trailing\\", "päss wörd €uro", "comma,comma;semi",
    "tab\there it is", "two lines\nof a secret", "&amp;lt;already", "$VAR ${VAR} $(cmd) `cmd`", "%s %d {0} {{x}}",
    "<?xml version=\"1.0\"?>", "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END KEY-----", "0x1f2e3d4c5b6a",
    "2026-11-28T09:00:00Z", "truefalsenull", "!!binary |yes", "*alias &anchor", "'single'''double''", "\"a1\",\"b2\",\"c3\"",
    "C:\\keys\\Vx83nQpLz0\\", "\\Vx83nQpLz0\\\\", "\"Vx83nQpLz0", "arr[idx[0]]>=Q7dM2xWv9",
]


def number(secret):
    """The secret as a bare number, if it is one that reads as it is written."""
    try:
        return json.loads(secret) if secret[0] in "-0123456789" else None
    except ValueError:
        return None


def documents(secret):
    data = {"first": secret, "list": ["x", secret, f"a {secret} b"], "deep": {"url": f"https://{secret}/", "last": "end"}}
    bare = number(secret)
    if bare is not None:
        data["number"], data["numbers"] = bare, [1, bare, 2]
    yield "plain.json", json.dumps(data)
    yield "pretty.json", json.dumps(data, indent=2, ensure_ascii=False)
    yield "nested.json", json.dumps({"inner": json.dumps({"inner": json.dumps(data)})})
    yield "text-nested.json", json.dumps({"inner": json.dumps({"text": f'say "{secret}"', "more": f"\n{secret}\n"})})
    yield "lines.jsonl", "".join(json.dumps({"n": n, "msg": f"say {secret}"}) + "\n" for n in range(3))
    if yaml:
        for name, options in [("block", {}), ("flow", {"default_flow_style": True}), ("narrow", {"width": 20}),
                              ("double", {"default_style": '"'}), ("single", {"default_style": "'"}),
                              ("literal", {"default_style": "|"}), ("folded", {"default_style": ">"}),
                              ("unicode", {"allow_unicode": True})]:
            yield f"{name}.yaml", yaml.safe_dump(data, **options)
    text, attribute = escape(secret), quoteattr(secret, {"\n": "&#10;", "\t": "&#9;"})
    numeric = "".join(f"&#{ord(c)};" if not c.isalnum() else c for c in secret)
    report = f"<testsuites><testsuite name={attribute} tests=\"1\"><testcase name={attribute}><failure message={attribute}>{text}" \
             f"</failure><system-out>{numeric}</system-out></testcase></testsuite></testsuites>"
    yield "report.xml", '<?xml version="1.0" encoding="UTF-8"?>\n' + report
    section = secret.replace("]]>", "]]]]><![CDATA[>")
    yield "cdata.xml", f"<a><b><![CDATA[{section}]]></b><c>{numeric}</c></a>"
    yield "page.html", f"<!DOCTYPE html><html><head><title>{html.escape(secret)}</title></head><body><p title=\"{html.escape(secret)}\">" \
                       f"{html.escape(secret)}</p><a href=\"/x?{numeric}\">y</a><pre>{text}</pre></body></html>"
    for name, options in [("comma", {}), ("all", {"quoting": csv.QUOTE_ALL}), ("tabs", {"delimiter": "\t"})]:
        out = io.StringIO()
        csv.writer(out, **options).writerows([["a", "b", "c"], [secret, "x", f"<{secret}>"], ["1", secret, "3"]])
        yield f"{name}.csv", out.getvalue()
    if "\n" not in secret:
        ini = configparser.RawConfigParser()
        ini["default"] = {"token": secret, "other": f"x {secret}"}
        ini["more"] = {"a": "b"}
        out = io.StringIO()
        ini.write(out)
        yield "settings.ini", out.getvalue()


def is_found(secret):
    """Words of fewer than 16 letters are not found where they are escaped."""
    letters = "".join(c for c in secret if c.isalnum())
    return len(letters) >= 16 or secret.isascii() and " " not in secret and len(letters) >= 8


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.texts = [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, [name for name, _ in attributes]))
        self.texts.extend(value or "" for _, value in attributes)

    def handle_endtag(self, tag):
        self.tags.append(tag)

    def handle_data(self, data):
        self.texts.append(data)


def leaves(data):
    """The shape of a document, and its texts."""
    if isinstance(data, dict):
        parts = [leaves(value) for value in data.values()]
        return [len(data), [shape for shape, _ in parts]], [str(key) for key in data] + [text for _, texts in parts for text in texts]
    if isinstance(data, list):
        parts = [leaves(value) for value in data]
        return [shape for shape, _ in parts], [text for _, texts in parts for text in texts]
    if isinstance(data, str) and data.startswith('{"'):
        return leaves(json.loads(data))
    return "a number" if type(data) in (int, float) else "a value", [str(data)]


def fits(shape, found):
    """Whether a document has the shape it had; a text that others read as a number can be one."""
    if isinstance(shape, (list, tuple)) and isinstance(found, (list, tuple)):
        return len(shape) == len(found) and all(map(fits, shape, found))
    return shape == found or (shape, found) == ("a value", "a number")


def parsed(name, text):
    if name.endswith(".json"):
        return leaves(json.loads(text))
    if name.endswith(".jsonl"):
        return leaves([json.loads(line) for line in text.splitlines()])
    if name.endswith(".yaml"):
        return leaves(yaml.safe_load(text))
    if name.endswith(".xml"):
        root = etree.fromstring(text.encode())
        return [(e.tag, sorted(e.attrib)) for e in root.iter()], [t for e in root.iter() for t in [e.text or "", *e.attrib.values()]]
    if name.endswith(".html"):
        page = Page()
        page.feed(text)
        page.close()
        return page.tags, page.texts
    if name.endswith(".csv"):
        rows = list(csv.reader(io.StringIO(text), delimiter="\t" if "tabs" in name else ","))
        return [len(row) for row in rows], [cell for row in rows for cell in row]
    ini = configparser.RawConfigParser()
    ini.read_string(text)
    return [(s, list(ini[s])) for s in ini.sections()], [value for s in ini.sections() for value in ini[s].values()]


def make(where):
    for number_of, secret in enumerate(SECRETS):
        os.makedirs(os.path.join(where, f"{number_of}", "secrets"))
        with open(os.path.join(where, f"{number_of}", "secrets", "token"), "w") as file:
            file.write(secret)
        for name, text in documents(secret):
            with open(os.path.join(where, f"{number_of}", name), "w", newline="") as file:
                file.write(text)


def check(before, after):
    checked, wrong = 0, []
    for number_of, secret in enumerate(SECRETS):
        for name, _ in documents(secret):
            path = os.path.join(f"{number_of}", name)
            one, other = (open(os.path.join(where, path), newline="").read() for where in (before, after))
            try:
                shape, _ = parsed(name, one)
                found, texts = parsed(name, other)
                if not fits(shape, found):
                    wrong.append(f"{path}: another shape\n{one}\n{other}")
                elif is_found(secret) and any(secret in text for text in texts):
                    wrong.append(f"{path}: a leak\n{other}")
            except Exception as error:
                wrong.append(f"{path}: {type(error).__name__}: {error}\n{one}\n{other}")
            checked += 1
    print(f"{checked} documents", "with" if yaml else "without", "YAML")
    sys.exit("\n\n".join(wrong) if wrong else 0)


if __name__ == "__main__":
    make(sys.argv[2]) if sys.argv[1] == "make" else check(*sys.argv[2:])
