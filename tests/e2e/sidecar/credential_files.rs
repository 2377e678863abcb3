//! Pins: I6; sidecar/README.md, "Secrets".
//!
//! One file of each kind of credentials, as its tool writes it, and a job that prints the
//! values alone: the manifest says how each was read, and nothing says a value.

use harness::job::Job;
use harness::pod::files_below;
use serde_json::{Value, json};
use std::fs;

/// A file: its name and content, how it is read, and what of it is secret.
struct File {
    name: &'static str,
    content: &'static str,
    format: &'static str,
    values: &'static [&'static str],
}

const FILES: [File; 16] = [
    File {
        name: ".dockerconfigjson",
        content: r#"{"auths":{"quay.io":{"username":"ci","password":"dockerPass-81x","auth":"Y2k6ZG9ja2VyUGFzcy04MXg="}}}"#,
        format: "registry credentials",
        values: &["dockerPass-81x", "Y2k6ZG9ja2VyUGFzcy04MXg="],
    },
    File {
        name: ".env",
        content: "# of the build\nexport DB_PASSWORD='env pass 4711'\nDEBUG=1\n",
        format: "keys and values",
        values: &["env pass 4711"],
    },
    File {
        name: ".git-credentials",
        content: "https://ci:gitPass%2F72k@github.example\n",
        format: "URLs",
        values: &["gitPass%2F72k", "gitPass/72k"],
    },
    File {
        name: ".netrc",
        content: "machine example.com\n  login ci\n  password netrcPass-93\n",
        format: "netrc",
        values: &["netrcPass-93"],
    },
    File {
        name: ".npmrc",
        content: "registry=https://registry.example/\n//registry.example/:_authToken=npm_Zk3xQ9vT7bW2nR5yH8jL\n",
        format: "keys and values",
        values: &["npm_Zk3xQ9vT7bW2nR5yH8jL"],
    },
    File {
        name: "account.json",
        content: r#"{"type":"service_account","project_id":"p","private_key":"-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\n-----END PRIVATE KEY-----\n","token_uri":"https://oauth2.example/token"}"#,
        format: "a service account",
        values: &["-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\n-----END PRIVATE KEY-----"],
    },
    File {
        name: "connection",
        content: "Server=tcp:x,1433;User ID=me;Password=adoPass-5512;Encrypt=True",
        format: "text",
        values: &["adoPass-5512"],
    },
    File {
        name: "credentials",
        content: "[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = 8KTz/Lm2xRt5v+Qw9Pb3Nc6Hd1Yf4Gs7Ja0Ue\n",
        format: "keys and values",
        values: &["8KTz/Lm2xRt5v+Qw9Pb3Nc6Hd1Yf4Gs7Ja0Ue"],
    },
    File {
        name: "htpasswd",
        content: "ci:$apr1$r31abcde$HqJZimcKQFAMYayBlzkrA/\n",
        format: "htpasswd",
        values: &["$apr1$r31abcde$HqJZimcKQFAMYayBlzkrA/"],
    },
    File {
        name: "kubeconfig.yaml",
        content: "apiVersion: v1\nkind: Config\nusers:\n- name: ci\n  user:\n    token: kubeToken-66-abc\n",
        format: "YAML",
        values: &["kubeToken-66-abc"],
    },
    File { name: "listed.ini", content: "[a]\nuser = iniValue-1\n", format: "INI", values: &["iniValue-1"] },
    File {
        name: "listed.yaml",
        content: "users: [{name: yamlValue-2}]\n",
        format: "YAML or JSON",
        values: &["yamlValue-2"],
    },
    File {
        name: "options.json",
        content: r#"{"endpoint":"https://example.com","api":{"clientSecret":"jsonSecret-38"}}"#,
        format: "JSON",
        values: &["jsonSecret-38"],
    },
    File {
        name: "quoted",
        content: "\"quotedToken-07\"\n",
        format: "a quoted text",
        values: &["quotedToken-07"],
    },
    File {
        name: "settings.xml",
        content: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<settings><server><password>xml&amp;Pass-19</password></server></settings>\n",
        format: "XML",
        values: &["xml&Pass-19"],
    },
    File {
        name: "tls.pem",
        content: "-----BEGIN CERTIFICATE-----\nMIIBpublic\n-----END CERTIFICATE-----\n-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIPr1v4te\n-----END EC PRIVATE KEY-----\n",
        format: "PEM",
        values: &["-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIPr1v4te\n-----END EC PRIVATE KEY-----"],
    },
];

/// Text of those files that is public, and stays.
const PUBLIC: [&str; 6] = [
    "AKIAIOSFODNN7EXAMPLE",
    "https://registry.example/",
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
    "MIIBpublic",
    "kind: Config",
    "Encrypt=True",
];

#[test]
fn single_values_of_credential_files_are_masked_and_the_manifest_says_how_each_was_read() {
    let job = Job::local();
    let secrets = job.pod.path("secrets");
    fs::create_dir(&secrets).expect("made");
    let mut printed = String::new();
    for file in &FILES {
        fs::write(secrets.join(file.name), file.content).expect("written");
        for value in file.values {
            printed.push_str(&[file.name, ": <", value, ">\n"].concat());
        }
    }
    fs::write(secrets.join("plain"), "plainToken-5150").expect("written");
    printed += "plain: <plainToken-5150>\n";
    let shown = job.pod.path("shown");
    fs::write(&shown, format!("{printed}{}\n", PUBLIC.join("\n"))).expect("written");
    let entry = job.pod.entry("test");
    let shown = shown.display().to_string();
    job.pod.entrypoint(&entry, &["cat", &shown], json!({})).wait().expect_code(0);
    let options = json!({"censoring_options": {
        "secret_directories": [secrets], "ini_filenames": ["listed.ini"], "structured_filenames": ["listed.yaml"],
    }});
    let ended = job.sidecar(&[&entry], options).wait();
    ended.expect_code(0);

    let log = job.text("build-log.txt");
    for line in log.lines().take_while(|line| !PUBLIC.contains(line)) {
        let inner = line.split_once('<').map_or(line, |(_, rest)| rest);
        assert!(inner.bytes().all(|byte| b"X>-".contains(&byte)), "{line}");
    }
    for public in PUBLIC {
        assert!(log.contains(&format!("\n{public}\n")), "{public}: {log}");
    }
    let sources = job.manifest()["censoring"]["sources"].clone();
    let read: Vec<_> = sources
        .as_array()
        .expect("a list")
        .iter()
        .map(|source| (&source["path"], &source["format"]))
        .collect();
    let expected: Vec<_> =
        FILES.iter().map(|file| (json!(secrets.join(file.name)), json!(file.format))).collect();
    let expected: Vec<_> = expected.iter().map(|(path, format)| (path, format)).collect();
    assert_eq!(read, expected);
    for (source, file) in sources.as_array().expect("a list").iter().zip(&FILES) {
        assert!(source["values"].as_u64() >= Some(file.values.len() as u64), "{source}");
        assert_eq!(source.as_object().map(serde_json::Map::len), Some(3), "{source}");
    }
    expect_nowhere(&job, &ended.stderr);
}

/// Neither an object nor a record says a value.
#[track_caller]
fn expect_nowhere(job: &Job, records: &str) {
    let mut texts: Vec<_> =
        files_below(&job.objects_dir()).into_iter().map(|name| (job.text(&name), name)).collect();
    texts.push((records.to_owned(), "records".to_owned()));
    for (text, name) in texts {
        let value = FILES.iter().flat_map(|file| file.values).find(|value| {
            let quoted = Value::from(**value).to_string();
            text.contains(**value) || text.contains(&quoted[1..quoted.len() - 1])
        });
        assert_eq!(value, None, "{name}");
    }
}
