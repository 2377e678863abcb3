// Writes each secret with Node and the packages of tools/package.json, which NODE_PATH names.
//
// node.cjs SECRETS DIRECTORY: files `node-WRITER__SECRET.READER`. A package that is missing is named.
const fs = require("fs"), path = require("path"), querystring = require("querystring"), util = require("util"), zlib = require("zlib");
require("buffer").INSPECT_MAX_BYTES = Infinity;

const secrets = JSON.parse(fs.readFileSync(process.argv[2])), out = process.argv[3];

function* standard(secret) {
  const data = { name: "job", token: secret, list: [1, secret], deep: { url: `prefix ${secret} suffix` } }, raw = Buffer.from(secret);
  yield ["json", "json", JSON.stringify(data)];
  yield ["json-twice", "json", JSON.stringify({ config: { data: JSON.stringify(data) } }, null, 2)];
  yield ["json-buffer", "json-numbers", JSON.stringify({ data: raw })];
  yield ["component", "url", "https://example.com/?a=" + encodeURIComponent(secret)];
  yield ["uri", "url", encodeURI("https://example.com/a/" + secret)];
  yield ["search", "form", new URLSearchParams({ a: "1", token: secret }).toString()];
  yield ["querystring", "url", querystring.stringify({ token: secret, b: 1 })];
  const url = new URL("https://example.com/");
  url.username = "me"; url.password = secret;
  yield ["userinfo", "url", url.href];
  const hash = new URL("https://example.com/");
  hash.hash = secret.replace(/[\t\n]/g, "");
  yield ["hash", "url-lines", hash.href];
  yield ["inspect", "js", util.inspect(data)];
  yield ["inspect-narrow", "js-folded", util.inspect({ token: secret, more: [secret, "x"] }, { breakLength: 20 })];
  yield ["inspect-coloured", "js-folded", util.inspect({ token: secret }, { colors: true })];
  yield ["inspect-buffer", "hex", util.inspect(raw).replace("Buffer", "")];
  yield ["format", "json", util.format("%j", { a: secret })];
  yield ["base64", "base64", raw.toString("base64")];
  yield ["base64url", "base64", Buffer.concat([Buffer.from("u:"), raw]).toString("base64url")];
  yield ["hex", "hex", raw.toString("hex")];
  yield ["utf16le", "utf-16-le", Buffer.from(`some ${secret} text`, "utf16le")];
  yield ["array", "numbers", `[${[...raw].join(",")}]`];
  yield ["array-lines", "numbers", util.inspect([...raw], { maxArrayLength: null })];
  yield ["gzip", "gzip", zlib.gzipSync(secret)];
  yield ["deflate", "zlib", zlib.deflateSync(secret)];
  yield ["data-url", "base64", "data:application/json;base64," + Buffer.from(JSON.stringify({ a: secret })).toString("base64")];
  yield ["escape", "percent-u", escape(secret)];
}

function* packages(secret, has) {
  const data = { token: secret, list: ["x", secret], text: `a prefix of some length ${secret} b` };
  const jsYaml = has("js-yaml"), yaml = has("yaml"), pino = has("pino"), winston = has("winston"), Table = has("cli-table3"), builder = has("xmlbuilder2");
  if (jsYaml) for (const lineWidth of [20, 80]) yield [`js-yaml-${lineWidth}`, "yaml", jsYaml.dump(data, { lineWidth })];
  if (yaml) for (const lineWidth of [20, 80]) yield [`yaml-${lineWidth}`, "yaml", yaml.stringify(data, { lineWidth })];
  if (pino) {
    const lines = [];
    pino({}, { write: (line) => lines.push(line) }).info({ token: secret }, "said %s", secret);
    yield ["pino", "json", lines.join("")];
  }
  if (winston) {
    const lines = [], { simple, json, logfmt } = winston.format;
    yield ["winston", "json", json().transform({ level: "info", message: secret }, {})[Symbol.for("message")]];
    yield ["winston-simple", "json-tail", simple().transform({ level: "info", message: "x", token: secret }, {})[Symbol.for("message")]];
  }
  if (Table) {
    const table = new Table({ head: ["k"], colWidths: [24], wordWrap: true, wrapOnWordBoundary: false });
    table.push([secret]);
    yield ["cli-table3", "folded", table.toString()];
  }
  if (builder) yield ["xmlbuilder2", "xml", builder.create({ a: { "@b": secret, "#": secret } }).end({ prettyPrint: true })];
}

const missing = new Set();
const has = (name) => { try { return require(name); } catch { missing.add(name); } };
for (const [name, secret] of Object.entries(secrets)) {
  for (const part of [standard(secret), packages(secret, has)]) {
    for (const [writer, reader, content] of part) fs.writeFileSync(path.join(out, `node-${writer}__${name}.${reader}`), content);
  }
}
for (const name of missing) console.log(`missing: Node's ${name}`);
