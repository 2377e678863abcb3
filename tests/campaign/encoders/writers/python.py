"""Writes each secret with Python: its standard library, and the packages of tools/requirements.txt.

python.py SECRETS DIRECTORY [full]: files `py-WRITER__SECRET.READER`; `full` with all packages. One that is missing is named.
"""
import base64, binascii, bz2, configparser, csv, email.header, email.mime.multipart, email.mime.text, gzip, html, http.server
import io, json, logging, lzma, os, pickle, plistlib, pprint, quopri, shlex, sqlite3, subprocess, sys, tarfile, textwrap, threading
import traceback, urllib.parse, xml.dom.minidom, xml.etree.ElementTree as etree, xml.sax.saxutils as sax, zipfile, zlib

SECRETS, OUT = json.load(open(sys.argv[1])), sys.argv[2]


def write(writer, name, reader, content):
    content = content if isinstance(content, bytes) else content.encode()
    with open(os.path.join(OUT, f"py-{writer}__{name}.{reader}"), "wb") as file:
        file.write(content)


def written(function, *arguments, **options):
    """Returns the text that a function writes to a file, its first argument."""
    out = io.StringIO(newline="")
    function(out, *arguments, **options)
    return out.getvalue()


def documents(name, secret):
    data = {"name": "job", "token": secret, "list": [1, secret, True], "deep": {"url": f"prefix {secret} suffix"}}
    yield "json", "json", json.dumps(data)
    yield "json-indent", "json", json.dumps(data, indent=2, ensure_ascii=False)
    yield "json-twice", "json", json.dumps({"inner": json.dumps(data), "n": 1})
    yield "json-thrice", "json", json.dumps({"inner": json.dumps({"inner": json.dumps(data)})})
    yield "json-html", "json", json.dumps(data).replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e").replace("'", "\\u0027")
    yield "json-bytes", "json-numbers", json.dumps({"data": list(secret.encode())})
    yield "repr", "repr", repr(data)
    yield "ascii", "repr", ascii(data)
    yield "bytes", "repr", repr(secret.encode())
    yield "pprint", "repr", pprint.pformat({"key": secret, "other": [secret] * 2}, width=30)
    yield "list", "numbers", str(list(secret.encode()))
    yield "unicode-escape", "escaped", secret.encode("unicode_escape")
    yield "escape", "xml", f"<a><b>{sax.escape(secret)}</b><c d={sax.quoteattr(secret, {chr(10): '&#10;', chr(9): '&#9;'})}/></a>"
    root = etree.Element("testsuite", name=secret, tests="1")
    etree.SubElement(root, "system-out").text = secret
    yield "etree", "xml", etree.tostring(root)
    yield "etree-unicode", "xml", etree.tostring(root, "unicode")
    yield "cdata", "xml", "<a><![CDATA[" + secret.replace("]]>", "]]]]><![CDATA[>") + "]]></a>"
    yield "escaped-bytes", "escaped", "".join(f"\\x{byte:02x}" for byte in secret.encode())
    yield "minidom", "xml", xml.dom.minidom.parseString(etree.tostring(root)).toprettyxml(indent="  ")
    yield "plist", "plist", plistlib.dumps(data)
    yield "html", "html", f"<html><body><p title=\"{html.escape(secret)}\">x</p><pre>{html.escape(secret, False)}</pre></body></html>"
    yield "html-json", "html-json", f"<html><body><div data=\"{html.escape(json.dumps(data))}\"></div></body></html>"
    yield "xml-of-json", "xml-json", f"<a>{sax.escape(json.dumps(data))}</a>"
    yield "csv", "csv", written(lambda out: csv.writer(out).writerows([["a", "b"], [secret, "x"]]))
    yield "csv-all", "csv", written(lambda out: csv.writer(out, quoting=csv.QUOTE_ALL).writerow(["1", secret, "2"]))
    yield "tsv", "tsv", written(lambda out: csv.writer(out, delimiter="\t").writerow(["1", secret, "2"]))
    ini = configparser.RawConfigParser()
    ini["default"] = {"token": secret.replace("\n", "\n\t"), "z": "last"}
    yield "ini", "ini", written(ini.write)
    yield "quote", "url", "https://example.com/a?b=" + urllib.parse.quote(secret) + "&c=1"
    yield "quote-all", "url", urllib.parse.quote(secret, safe="")
    yield "quote-few", "url", urllib.parse.quote(secret, safe="/:!$()*+,;@-._~?&=")
    yield "quote-lower", "url", "".join(f"%{b:02x}" if not chr(b).isalnum() or b > 127 else chr(b) for b in secret.encode())
    yield "quote-twice", "url", "https://example.com/?next=" + urllib.parse.quote("/x?y=" + urllib.parse.quote(secret, safe=""), safe="")
    yield "urlencode", "form", urllib.parse.urlencode({"a": "1", "token": secret, "z": "2"})
    yield "shlex", "shell", "login --password " + shlex.quote(secret)
    for width in (13, 20, 40):
        yield f"textwrap-{width}", "folded", textwrap.fill(secret, width)
    yield "indent", "folded", textwrap.indent("\n".join(secret[at:at + 16] for at in range(0, len(secret), 16)), "      ")


def bits(name, secret):
    raw = secret.encode()
    yield "b64", "base64", base64.b64encode(raw)
    yield "b64-inside", "base64", base64.b64encode(b"user:" + raw)
    yield "b64-document", "base64", base64.b64encode(json.dumps({"a": "b", "token": secret}).encode())
    yield "b64-url", "base64", base64.urlsafe_b64encode(b"xx" + raw + b"tail").rstrip(b"=")
    yield "b64-lines", "base64", base64.encodebytes(b"some text in front " + raw + b" and behind")
    for width in (20, 48, 57, 60, 65, 72, 80):
        text = base64.b64encode(b"some text in front " + raw).decode()
        yield f"b64-{width}", "base64", "\n".join(text[at:at + width] for at in range(0, len(text), width)) + "\n"
    yield "b64-twice", "base64-twice", base64.b64encode(base64.b64encode(b"user:" + raw))
    yield "b64-json", "json-base64", json.dumps({"data": base64.b64encode(raw).decode()})
    yield "b64-data-url", "base64", "data:text/plain;base64," + base64.b64encode(raw).decode()
    yield "b32", "base32", base64.b32encode(raw)
    yield "hexlify", "hex", binascii.hexlify(raw)
    yield "hexlify-colons", "hex", binascii.hexlify(raw, ":")
    yield "hexlify-upper", "hex", raw.hex(" ").upper()
    yield "hexlify-groups", "hex", raw.hex("_", 4).replace("_", " ")
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"):
        yield encoding, encoding, f"some text {secret} behind".encode(encoding)
    yield "quopri", "quoted-printable", quopri.encodestring(raw)
    mail = email.mime.multipart.MIMEMultipart()
    mail["Subject"] = str(email.header.Header(secret.replace("\n", " ").replace("\t", " "), "utf-8"))
    mail.attach(email.mime.text.MIMEText(f"the log says {secret}\n"))
    yield "mail", "mail", mail.as_bytes()
    yield "pickle", "pickle", pickle.dumps({"a": secret})


def containers(name, secret):
    raw = f"some text {secret} and more\n".encode()
    yield "gzip", "gzip", gzip.compress(raw, mtime=0)
    yield "bz2", "bzip2", bz2.compress(raw)
    yield "xz", "xz", lzma.compress(raw, preset=1)
    yield "lzma", "xz", lzma.compress(raw, lzma.FORMAT_ALONE, preset=1)
    yield "zlib", "zlib", zlib.compress(raw)
    for mode in ("w", "w:gz", "w:bz2", "w:xz"):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode=mode) as archive:
            info = tarfile.TarInfo("dir/file")
            info.size = len(raw)
            archive.addfile(info, io.BytesIO(raw))
        yield f"tar-{mode[2:] or 'plain'}", "tar", out.getvalue()
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", method) as archive:
            archive.writestr("dir/file", raw)
            archive.writestr("other", b"harmless")
        yield f"zip-{method}", "zip", out.getvalue()
    path = os.path.join(OUT, f"py-sqlite__{name}.sqlite")
    with sqlite3.connect(path) as database:
        database.execute("create table t (a, b)")
        database.execute("insert into t values (?, ?)", ("x", secret))


def logs(name, secret):
    for form in ("%s", "%r", "%a"):
        yield f"logging-{form[1]}", "text" if form == "%s" else "repr-line", logging.LogRecord("n", 20, "p", 1, "token " + form, (secret,), None).getMessage()
    try:
        raise KeyError(secret)
    except KeyError:
        yield "traceback", "repr-line", traceback.format_exc()


def of_yaml(name, secret):
    import yaml
    data = {"apiVersion": "v1", "token": secret, "list": ["x", secret], "text": f"a prefix of some length {secret} b"}
    for kind, options in [("plain", {}), ("flow", {"default_flow_style": True}), ("narrow", {"width": 20}), ("double", {"default_style": '"', "width": 30}),
                          ("single", {"default_style": "'"}), ("literal", {"default_style": "|"}), ("folded", {"default_style": ">"}),
                          ("unicode", {"allow_unicode": True, "width": 40})]:
        yield f"yaml-{kind}", "yaml", yaml.safe_dump(data, **options)
    if secret.isdigit():
        numbers = {"n": int(secret), "m": -int(secret), "list": [int(secret), [int(secret)]], "f": float(secret)}
        for style in (None, '"', "'"):
            yield f"yaml-number-{ord(style or 'p')}", "yaml", yaml.safe_dump(numbers, default_style=style)
        yield "yaml-number-flow", "yaml", yaml.safe_dump(numbers, default_flow_style=True)
        yield "yaml-number-alone", "yaml", f"- {secret}"
    yield "yaml-binary", "yaml", yaml.safe_dump({"data": secret.encode()})
    yield "yaml-numbers", "numbers", yaml.safe_dump(list(secret.encode()))


def of_ruamel(name, secret):
    import ruamel.yaml
    for width in (30, 80):
        writer = ruamel.yaml.YAML()
        writer.width = width
        out = io.BytesIO()
        writer.dump({"token": secret, "deep": {"a": [secret, f"some text before it {secret}"]}}, out)
        yield f"ruamel-{width}", "yaml", out.getvalue()


def of_rich(name, secret):
    import rich.console, rich.panel, rich.pretty, rich.table, rich.text
    for width, colour in ((30, None), (60, "truecolor")):
        def shown(what):
            out = io.StringIO()
            rich.console.Console(file=out, width=width, force_terminal=colour is not None, color_system=colour).print(what)
            return out.getvalue()
        yield f"rich-text-{width}", "folded", shown(rich.text.Text(secret))
        yield f"rich-panel-{width}", "folded", shown(rich.panel.Panel(rich.text.Text(secret)))
        table = rich.table.Table("secret")
        table.add_row(rich.text.Text(secret, overflow="fold"))
        yield f"rich-table-{width}", "folded", shown(table)
        yield f"rich-pretty-{width}", "repr-folded", shown(rich.pretty.Pretty({"key": secret}))


def of_tabulate(name, secret):
    import tabulate
    for form in ("grid", "pipe", "fancy_grid", "plain", "html"):
        reader = "html" if form == "html" else "folded"
        yield f"tabulate-{form}", reader, tabulate.tabulate([[secret]], ["k"], form, disable_numparse=True)
    yield "tabulate-narrow", "folded", tabulate.tabulate([[secret]], ["k"], "grid", maxcolwidths=20, disable_numparse=True)


def of_jinja2(name, secret):
    import jinja2
    for form, reader in (("e", "html"), ("tojson", "json-html"), ("urlencode", "url"), ("pprint", "repr-line"), ("wordwrap(24)", "folded"), ("indent(4)", "folded")):
        page = jinja2.Template("<p>{{ x|FORM }}</p>".replace("FORM", form) if reader == "html" else "{{ x|FORM }}".replace("FORM", form))
        yield "jinja-" + "".join(c for c in form if c.isalpha()), reader, page.render(x=secret)
    yield "jinja-autoescape", "html", jinja2.Environment(autoescape=True).from_string("<a title='{{ x }}'>{{ x }}</a>").render(x=secret)


def of_requests(name, secret):
    import requests
    request = requests.Request("POST", "https://example.com/a", params={"token": secret}, data={"b": secret}, auth=("user", secret.encode())).prepare()
    yield "requests-url", "form", request.url
    yield "requests-body", "form", request.body
    yield "requests-json", "json", requests.Request("POST", "https://example.com/", json={"t": secret}).prepare().body
    yield "requests-basic", "base64", request.headers["Authorization"].split()[1]
    files = requests.Request("POST", "https://example.com/", files={"f": ("n", secret)}).prepare()
    yield "requests-multipart", "text", files.body


def of_lxml(name, secret):
    from lxml import etree as lxml, html as page
    root = lxml.Element("a", b=secret)
    root.text = secret
    yield "lxml", "xml", lxml.tostring(root)
    yield "lxml-html", "html", page.tostring(page.fragment_fromstring(f"<p title=\"{html.escape(secret)}\">{html.escape(secret)}</p>"))


def of_httpx(name, secret):
    import httpx
    yield "httpx-url", "form", str(httpx.URL("https://example.com/", params={"a": secret}))
    yield "httpx-user", "url", str(httpx.URL("https://example.com").copy_with(username="u", password=secret))


def of_loguru(name, secret):
    import loguru
    lines = []
    loguru.logger.remove()
    loguru.logger.add(lines.append, serialize=True)
    loguru.logger.info("{}", secret)
    yield "loguru", "json", "".join(lines)


def of_structlog(name, secret):
    import structlog
    yield "structlog-json", "json", structlog.processors.JSONRenderer()(None, "info", {"event": "x", "token": secret})
    yield "structlog-console", "repr-line", structlog.dev.ConsoleRenderer()(None, "info", {"event": "x", "token": secret})
    yield "structlog-logfmt", "escaped", structlog.processors.LogfmtRenderer()(None, "info", {"event": "x", "token": secret})


def of_reportlab(name, secret):
    from reportlab.pdfgen import canvas
    for packed in (0, 1) if secret.isascii() and secret.isprintable() else ():
        page = canvas.Canvas(out := io.BytesIO(), pageCompression=packed)
        page.setSubject(f"log {secret}")
        page.drawString(72, 720, f"token {secret} behind")
        page.save()
        yield f"reportlab-{packed}", "pdf", out.getvalue()


def of_fpdf2(name, secret):
    import fpdf
    if secret.isascii() and secret.isprintable():
        page = fpdf.FPDF("landscape", format="A3")
        page.set_title(secret)
        page.add_page()
        page.set_font("Courier", size=6)
        page.cell(text=f"token {secret} behind")
        yield "fpdf2", "pdf", bytes(page.output())


def of_matplotlib(name, secret):
    import matplotlib
    matplotlib.use("pdf")
    from matplotlib import pyplot
    if secret.isascii() and secret.isprintable():
        with matplotlib.rc_context({"pdf.use14corefonts": True, "font.family": "Helvetica"}):
            pyplot.figure(figsize=(30, 2)).suptitle(f"token {secret}", parse_math=False)
            pyplot.savefig(out := io.BytesIO(), metadata={"Title": secret})
            pyplot.close()
        yield "matplotlib", "pdf", out.getvalue()


def of_pikepdf(name, secret):
    import pikepdf
    for writer, _, content in of_reportlab(name, secret):
        for kind, options in (("objects", {"object_stream_mode": pikepdf.ObjectStreamMode.generate}), ("linear", {"linearize": True})):
            with pikepdf.open(io.BytesIO(content)) as document:
                document.attachments["a.txt"] = pikepdf.AttachedFileSpec(document, secret.encode(), filename="a.txt")
                document.save(out := io.BytesIO(), compress_streams=True, **options)
            yield f"{writer}-qpdf-{kind}", "pdf", out.getvalue()


def of_weasyprint(name, secret):
    import weasyprint
    if secret.isascii() and secret.isprintable():
        yield "weasyprint", "pdf", weasyprint.HTML(string=f"<title>{html.escape(secret)}</title><p>x</p>").write_pdf()


class Server(http.server.BaseHTTPRequestHandler):
    """Says what it is sent, for curl."""

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(204)
        self.end_headers()

    do_GET = do_POST

    def log_message(self, *_):
        pass


def curl(secrets):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/"
    for name, secret in secrets.items():
        for writer, reader, options in (("curl-trace", "dump", ["--trace", "-", "-d", "xxxx" + secret]), ("curl-trace-ascii", "text", ["--trace-ascii", "-", "-d", secret]),
                                        ("curl-urlencode", "url", ["-v", "-G", "--data-urlencode", f"a={secret}"]), ("curl-basic", "basic", ["-v", "-u", f"user:{secret}"])):
            if writer == "curl-trace-ascii" and not (secret.isascii() and secret.isprintable()):
                continue
            ended = subprocess.run(["curl", "-sS", *options, url], capture_output=True, check=True)
            write(writer, name, reader, ended.stdout + ended.stderr)
    server.shutdown()


def main():
    parts = [documents, bits, containers, logs, of_yaml, of_ruamel, of_rich, of_tabulate, of_jinja2, of_requests, of_reportlab, of_fpdf2]
    if "full" in sys.argv:
        parts += [of_lxml, of_httpx, of_loguru, of_structlog, of_matplotlib, of_pikepdf, of_weasyprint]
    for part in parts:
        try:
            for name, secret in SECRETS.items():
                for writer, reader, content in part(name, secret) or ():
                    write(writer, name, reader, content)
        except ModuleNotFoundError as error:
            print(f"missing: Python's {error.name}")
    try:
        curl(SECRETS)
    except FileNotFoundError:
        print("missing: curl")


main()
