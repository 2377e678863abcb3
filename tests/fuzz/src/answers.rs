//! Checks of what is made of a store's answers, and of a token service's: by the real
//! clients, from a server that answers with the input. No error shows what was sent, be
//! it repeated in an error or in a success that cannot be read.

use sidecar::destination::{Credentials, Destination};
use sidecar::io::store::{Store, StoreError};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

/// The credentials of S3 and of Google's clients, which may stand in no error.
const SECRETS: [&str; 2] = ["the-secret-access-key", "the-subject-token"];

/// Divides the answers of an input.
const DIVIDER: &[u8] = b"\n---\n";

/// Stands in an answer for the credentials that the request had.
const ECHO: &[u8] = b"{sent}";

/// More than any operation needs but a listing that goes round.
const MAX_ANSWERS: usize = 12;

/// The variable by which an emulator is found, where this process has it.
const EMULATOR: &str = "STORAGE_EMULATOR_HOST";

/// Bytes of an object that a caller wants at most.
const LIMIT: usize = 100;

#[derive(Default)]
struct Script {
    answers: VecDeque<Vec<u8>>,
    /// Requests to the store, and those to the token service.
    asked: usize,
    tokens: usize,
    /// Something that was sent was answered with a success.
    succeeded: bool,
    /// Tokens and signatures of the requests.
    credentials: Vec<String>,
}

/// A server and the stores that ask it, for one thread.
struct Lab {
    runtime: Runtime,
    dir: tempfile::TempDir,
    address: String,
    script: Arc<Mutex<Script>>,
    stores: Vec<Option<Store>>,
}

thread_local! {
    static LAB: RefCell<Lab> = RefCell::new(Lab::new());
}

impl Lab {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let wanted = std::env::var(EMULATOR).unwrap_or_else(|_| "127.0.0.1:0".to_owned());
        let listener = runtime.block_on(TcpListener::bind(&wanted)).expect("an address");
        let address = listener.local_addr().expect("its address").to_string();
        let script = Arc::new(Mutex::new(Script::default()));
        let shared = Arc::clone(&script);
        runtime.spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(answer(connection, Arc::clone(&shared)));
            }
        });
        let dir = tempfile::tempdir().expect("a directory");
        Self { runtime, dir, address, script, stores: vec![None, None, None, None] }
    }

    /// Opens the store that an input selects.
    fn open(&self, which: usize) -> Store {
        let (url, text) = (format!("http://{}", self.address), |name: &str| self.dir.path().join(name));
        let mut credentials = Credentials::default();
        match which {
            0 => {
                let file = format!(
                    r#"{{"endpoint":"{url}","access_key":"id","secret_key":"{}","s3_force_path_style":true}}"#,
                    SECRETS[0]
                );
                std::fs::write(text("s3"), file).expect("written");
                credentials.s3_credentials_file = Some(text("s3"));
            }
            1 | 2 => {
                std::fs::write(text("subject"), SECRETS[1]).expect("written");
                let more = format!(r#","service_account_impersonation_url":"{url}/token/of/account""#);
                let file = format!(
                    r#"{{"type":"external_account","audience":"a","subject_token_type":"t","gcs_base_url":"{url}",
                    "token_url":"{url}/token","credential_source":{{"file":"{}"}}{}}}"#,
                    text("subject").display(),
                    if which == 2 { more.as_str() } else { "" },
                );
                let path = text(&format!("account-{which}"));
                std::fs::write(&path, file).expect("written");
                credentials.gcs_credentials_file = Some(path);
            }
            _ => {}
        }
        let destination = if which == 0 { "s3://bucket/prefix" } else { "gs://bucket/prefix" };
        Store::open(&Destination::parse(destination).expect("parsed"), &credentials).expect("opened")
    }

    /// Carries out operations until the answers are used up; returns false where the
    /// store had a token of an earlier input.
    fn run(&mut self, which: usize, first: u8, answers: &[&[u8]]) -> bool {
        *self.script.lock().expect("no panic") =
            Script { answers: answers.iter().map(|answer| answer.to_vec()).collect(), ..Script::default() };
        let store = self.stores[which].take().unwrap_or_else(|| self.open(which));
        for operation in first..first + 3 {
            let script = Arc::clone(&self.script);
            script.lock().expect("no panic").succeeded = false;
            let result = self.runtime.block_on(operate(&store, operation % 8));
            let script = script.lock().expect("no panic");
            if matches!(which, 1 | 2) && script.tokens == 0 && script.asked > 0 {
                return false;
            }
            match result {
                Ok(()) => assert!(
                    script.succeeded,
                    "a success that no answer said: {which} {operation}, {:?}",
                    answers.iter().map(|answer| String::from_utf8_lossy(answer)).collect::<Vec<_>>()
                ),
                Err(error) => {
                    let secret = SECRETS.get(which.div_ceil(2)).map(|secret| (*secret).to_owned());
                    expect_harmless(&error.to_string(), script.credentials.iter().chain(&secret));
                }
            }
            if script.answers.is_empty() {
                break;
            }
        }
        self.stores[which] = Some(store);
        true
    }
}

/// Checks a sentence that goes into records: it has none of the credentials.
fn expect_harmless<'a>(error: &str, mut credentials: impl Iterator<Item = &'a String>) {
    assert!(!error.chars().any(char::is_control), "{error:?} is no line");
    assert!(error.len() < 2_000, "{error:?} is too long");
    let shown = credentials.find(|credential| error.contains(*credential));
    assert!(shown.is_none(), "{error:?} shows {shown:?}");
}

/// Returns the token or signature of a request, unless it is too short to be masked, or
/// looks like what takes its place.
fn credential(head: &str) -> Option<String> {
    let value = head.lines().find_map(|line| line.strip_prefix("authorization:"))?.trim();
    let credential = value.rsplit_once("Signature=").or_else(|| value.split_once(' '))?.1;
    (credential.len() >= 8 && credential.bytes().any(|byte| byte != b'X')).then(|| credential.to_owned())
}

async fn operate(store: &Store, operation: u8) -> Result<(), StoreError> {
    let key = "a/build-log.txt";
    match operation {
        0 => store.write_small(key, b"content".to_vec(), "text/plain").await,
        1 => {
            let read = store.read_small(key, LIMIT).await?;
            assert!(read.is_none_or(|(content, _)| content.len() <= LIMIT), "more than was asked for");
            Ok(())
        }
        2 => store.head(key).await.map(drop),
        3 => store.current_version(key).await.map(drop),
        4 => store.list(&mut |listed| assert!(!listed.key.is_empty())).await,
        5 => store.children(&mut |child| assert!(!child.name.contains('/'), "{child:?}")).await,
        6 => store.read_range(key, 10..20).await.map(drop),
        _ => {
            let mut rest = LIMIT;
            let mut take = |block: &[u8]| {
                rest = rest.saturating_sub(block.len());
                rest > 0
            };
            store.read_through(key, &mut take).await.map(drop)
        }
    }
}

/// Reads a request and answers it with what is next; without one it hangs up.
async fn answer(mut connection: TcpStream, script: Arc<Mutex<Script>>) {
    let Some(head) = request(&mut connection).await else { return };
    let sent = head.lines().filter(|line| line.starts_with("authorization:")).collect::<String>();
    let sent = format!("{sent} {}", head.lines().last().unwrap_or_default());
    let next = {
        let mut script = script.lock().expect("no panic");
        let next = script.answers.pop_front();
        let is_token = head.lines().next().is_some_and(|line| line.contains(" /token"));
        *(if is_token { &mut script.tokens } else { &mut script.asked }) += 1;
        script.credentials.extend(credential(&head));
        let status = next.as_ref().map(|answer| answer.starts_with(b"2") || answer.starts_with(b"404"));
        script.succeeded |= !is_token && status == Some(true);
        next
    };
    let Some(text) = next else { return };
    let at = text.windows(2).position(|two| two == b"\n\n").unwrap_or(text.len());
    let (head, body) = text.split_at(at);
    let sent = sent.replace("{sent}", "");
    let body = with_echo(body.get(2..).unwrap_or_default(), &sent);
    let head = with_echo(head, &sent);
    let mut all = [b"HTTP/1.1 ", head.as_slice()].concat();
    if !head.windows(15).any(|part| part.eq_ignore_ascii_case(b"content-length:")) {
        all.extend_from_slice(format!("\ncontent-length: {}", body.len()).as_bytes());
    }
    all.extend_from_slice(b"\nconnection: close\n\n");
    all.extend_from_slice(&body);
    // The client may have seen enough.
    let _is_sent = connection.write_all(&all).await.is_ok() && connection.shutdown().await.is_ok();
}

/// Puts what was sent into an answer where it says so.
fn with_echo(answer: &[u8], sent: &str) -> Vec<u8> {
    let mut answer = answer.to_vec();
    while let Some(at) = answer.windows(ECHO.len()).position(|part| part == ECHO) {
        answer.splice(at..at + ECHO.len(), sent.bytes());
    }
    answer
}

/// Reads a request: its head in lower case, and its body.
async fn request(connection: &mut TcpStream) -> Option<String> {
    let (mut bytes, mut block) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head: String = head
                .lines()
                .map(|line| {
                    line.split_once(':').map_or(line.to_owned(), |(name, rest)| {
                        format!("{}:{rest}", name.to_ascii_lowercase())
                    }) + "\n"
                })
                .collect();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            if body.len() >= length.map_or(0, |length| length.trim().parse().unwrap_or(0)) {
                return Some(format!("{head}{body}"));
            }
        }
        match connection.read(&mut block).await {
            Ok(length @ 1..) => bytes.extend_from_slice(&block[..length]),
            Ok(0) | Err(_) => return None,
        }
    }
}

/// Checks the answers of an input: the first byte selects the store, the second one the
/// operation, and what follows are answers, each a status, headers, and a body.
pub fn answers(data: &[u8]) {
    let Some(([which, first], mut rest)) = data.split_first_chunk() else { return };
    let mut answers = Vec::new();
    while answers.len() < MAX_ANSWERS {
        let Some(at) = rest.windows(DIVIDER.len()).position(|part| part == DIVIDER) else { break };
        answers.push(&rest[..at]);
        rest = &rest[at + DIVIDER.len()..];
    }
    answers.push(rest);
    // One is found by a variable of the process, and the others then not at all.
    let which = if std::env::var_os(EMULATOR).is_some() { 3 } else { usize::from(which % 3) };
    LAB.with_borrow_mut(|lab| {
        let was_fresh = lab.run(which, first % 8, &answers) || lab.run(which, first % 8, &answers);
        assert!(was_fresh, "a fresh store asks for a token");
    });
}
