// What the tests need of Azurite beside what sidecar does: a container, a
// signature for it, and a look at a blob. Node comes with Azurite.
//
//   node azurite.js http://127.0.0.1:PORT create|sas|get CONTAINER [BLOB]
const crypto = require('crypto');
const [, , address, command, container, blob] = process.argv;
const account = 'devstoreaccount1';
// The account that every Azurite knows.
const key = Buffer.from(
  'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==', 'base64');
const sign = (text) => crypto.createHmac('sha256', key).update(text, 'utf8').digest('base64');
const version = '2021-08-06';

async function ask(method, path, query) {
  const date = new Date().toUTCString();
  const names = Object.keys(query).sort();
  const canonical = `/${account}${path}` + names.map((name) => `\n${name}:${query[name]}`).join('');
  const text = `${method}\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:${date}\nx-ms-version:${version}\n${canonical}`;
  const url = address + path + (names.length ? '?' + new URLSearchParams(query) : '');
  return fetch(url, {
    method,
    headers: { 'x-ms-date': date, 'x-ms-version': version, Authorization: `SharedKey ${account}:${sign(text)}` },
  });
}

function sas() {
  const fields = { sv: version, ss: 'b', srt: 'sco', sp: 'rwc', se: '2099-01-01T00:00:00Z', spr: 'https,http' };
  const text = [account, fields.sp, fields.ss, fields.srt, '', fields.se, '', fields.spr, fields.sv, '', ''].join('\n');
  return new URLSearchParams({ ...fields, sig: sign(text) }).toString();
}

async function main() {
  if (command === 'sas') {
    process.stdout.write(sas());
    return;
  }
  const path = `/${account}/${container}` + (blob ? '/' + blob.split('/').map(encodeURIComponent).join('/') : '');
  const answer = await (command === 'create' ? ask('PUT', path, { restype: 'container' }) : ask('GET', path, {}));
  if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);
  const body = Buffer.from(await answer.arrayBuffer());
  if (command === 'get') {
    const header = (name) => answer.headers.get(name);
    const metadata = [...answer.headers].filter(([name]) => name.startsWith('x-ms-meta-'));
    process.stdout.write(JSON.stringify({
      type: header('content-type'), encoding: header('x-ms-blob-content-encoding') || header('content-encoding'),
      bytes: body.length, sha256: crypto.createHash('sha256').update(body).digest('hex'),
      text: body.length < 100000 ? body.toString() : '', metadata: Object.fromEntries(metadata),
    }));
  }
}

main().catch((error) => { console.error(error.message); process.exit(1); });
