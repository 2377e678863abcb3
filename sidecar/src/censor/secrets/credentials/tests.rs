//! Files as the tools themselves write them.

use super::*;

fn read(name: &str, text: &str) -> (&'static str, Vec<String>) {
    match recognize(name, text.as_bytes(), Owner::Operator) {
        Some(found) => (
            found.format,
            found.values.iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect(),
        ),
        None => ("", Vec::new()),
    }
}

const TOKEN: &str = "ghp_16C7e42F292c6912E7710c838347Ae178B4a";
const KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

#[test]
fn files_of_lines() {
    let aws = format!(
        "[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = {KEY}\nregion = us-east-1\n"
    );
    assert_eq!(read("credentials", &aws), ("keys and values", vec![KEY.to_owned()]));
    let env =
        format!("# comment\nexport DB_PASSWORD='correct horse'\nTOKEN=\"{TOKEN}\"\nDEBUG=1\nPORT=5432 # x\n");
    assert_eq!(read(".env", &env).1, ["correct horse", TOKEN]);
    let npmrc = format!(
        "registry=https://registry.npmjs.org/\n//registry.npmjs.org/:_authToken={TOKEN}\nalways-auth=true\n"
    );
    assert_eq!(read(".npmrc", &npmrc).1, [TOKEN]);
    let pypirc = "[distutils]\nindex-servers = pypi\n\n[pypi]\nusername = __token__\npassword = pypi-AgEIcHlwaS5vcmcCJGU\n";
    assert_eq!(read(".pypirc", pypirc).1, ["pypi-AgEIcHlwaS5vcmcCJGU"]);
    let netrc =
        "machine github.com login me password hunter2hunter2\nmachine x\n  login y\n  password otherpass9\n";
    assert_eq!(read(".netrc", netrc), ("netrc", vec!["hunter2hunter2".to_owned(), "otherpass9".to_owned()]));
    let git = format!("https://me:{TOKEN}@github.com\nhttps://you:p%40ssw0rd1@gitlab.com\n");
    assert_eq!(
        read(".git-credentials", &git),
        ("URLs", vec![TOKEN.to_owned(), "p%40ssw0rd1".to_owned(), "p@ssw0rd1".to_owned()])
    );
    let htpasswd = "me:$apr1$r31abcde$HqJZimcKQFAMYayBlzkrA/\nyou:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC\n";
    assert_eq!(read("htpasswd", htpasswd).1.len(), 2);
    let pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n-----BEGIN EC PRIVATE KEY-----\nMHcCAQ\n-----END EC PRIVATE KEY-----\n";
    assert_eq!(
        read("tls.pem", pem).1,
        ["-----BEGIN EC PRIVATE KEY-----\nMHcCAQ\n-----END EC PRIVATE KEY-----"]
    );
}

#[test]
fn documents() {
    let account = r#"{"type":"service_account","project_id":"p","private_key_id":"9f86d081884c7d659a2feaa0c55ad015",
        "private_key":"-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n","client_id":"123456789012345678901",
        "token_uri":"https://oauth2.googleapis.com/token"}"#;
    let (format, values) = read("key.json", account);
    assert_eq!(format, "a service account");
    assert!(
        values.contains(&"-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----".to_owned()),
        "{values:?}"
    );
    assert!(
        !values.iter().any(|value| value.contains("googleapis") || value.starts_with("123")),
        "{values:?}"
    );
    let docker =
        r#"{"auths":{"quay.io":{"auth":"bWU6aHVudGVyMmh1bnRlcjI=","identitytoken":"identity-token-1"}}}"#;
    let (format, values) = read("config.json", docker);
    assert_eq!(format, "registry credentials");
    assert_eq!(
        values,
        ["bWU6aHVudGVyMmh1bnRlcjI=", "me:hunter2hunter2", "hunter2hunter2", "identity-token-1"]
    );
    let kube = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: default\nusers:\n- name: me\n  user:\n    token: {TOKEN}\n    client-key-data: LS0tLS1CRUdJTiBFQyBQUklWQVRFIEtFWS0tLS0tCk1IYwo=\n"
    );
    let (format, values) = read("config", &kube);
    assert_eq!(format, "YAML");
    assert_eq!(values[0], TOKEN);
    assert_eq!(values[2], "-----BEGIN EC PRIVATE KEY-----\nMHc");
    assert_eq!(read("token", &format!("\"{TOKEN}\"\n")), ("a quoted text", vec![TOKEN.to_owned()]));
    let maven = "<?xml version=\"1.0\"?>\n<settings><servers><server><id>nexus</id><username>deploy</username>\
                 <password>p&amp;ss-word&lt;1</password></server></servers><add key=\"ApiToken\" value=\"0123456789\"/></settings>";
    assert_eq!(read("settings.xml", maven), ("XML", vec!["p&ss-word<1".to_owned(), "0123456789".to_owned()]));
}

#[test]
fn connection_strings_and_urls() {
    let ado = "Server=tcp:x,1433;User ID=me;Password=S3cr3t-pass;Encrypt=True";
    assert_eq!(read("dsn", ado).1, ["S3cr3t-pass"]);
    assert_eq!(
        read("url", "postgres://me:p%2Fss-w0rd@db:5432/x?sslmode=off").1,
        ["p%2Fss-w0rd", "p/ss-w0rd"]
    );
    assert_eq!(read("url", "jdbc:mysql://db/x?user=me&password=hunter2hunter2").1, ["hunter2hunter2"]);
}

#[test]
fn plain_texts_have_no_values_inside() {
    for text in [
        TOKEN,
        KEY,
        "friend",
        "correct horse battery staple",
        "https://example.com/a/b",
        "a: b",
        "x = y",
        "\u{0}",
    ] {
        assert_eq!(read("token", text).1, [""; 0], "{text}");
    }
}

#[test]
fn a_hostile_file_is_read_to_its_end() {
    for text in [
        "[".repeat(1 << 20),
        "a://b:".repeat(1 << 17),
        "k=\\\n\\\n".repeat(1 << 17),
        "<a ".repeat(1 << 18),
        "k=v;".repeat(1 << 18),
        "- ".repeat(1 << 19),
    ] {
        assert!(recognize("x", text.as_bytes(), Owner::Job).is_none_or(|found| found.values.len() <= 10_000));
    }
}
