//! A client of HTTPS that writes its requests byte by byte, so that a test can send what no
//! library would, and certificates for the server it asks.

use crate::wait::PATIENCE;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// A certificate for 127.0.0.1, its key and its CA, as PEM.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The CA's certificate.
    pub ca: String,
    /// The server's certificate.
    pub certificate: String,
    /// The server's key.
    pub key: String,
}

/// Makes a certificate with a CA of its own.
#[track_caller]
pub fn pair() -> Pair {
    pair_valid(0, 4_000_000_000)
}

/// Makes a certificate that is valid between two times in seconds since 1970, with a CA of its own.
#[track_caller]
pub fn pair_valid(not_before: u64, not_after: u64) -> Pair {
    let time = |seconds| rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds);
    let ca_key = KeyPair::generate().expect("a key");
    let mut ca_params = CertificateParams::new(Vec::new()).expect("no names");
    ca_params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = ca_params.self_signed(&ca_key).expect("signed");
    let key = KeyPair::generate().expect("a key");
    let mut names = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
    (names.not_before, names.not_after) = (time(not_before), time(not_after));
    let certificate = names.signed_by(&key, &Issuer::new(ca_params, ca_key)).expect("signed");
    Pair { ca: ca.pem(), certificate: certificate.pem(), key: key.serialize_pem() }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// The lines of its head, names as they were sent.
    pub head: String,
    /// Its body.
    pub body: String,
}

/// A connection that trusts one CA.
#[derive(Debug)]
pub struct Connection {
    runtime: tokio::runtime::Runtime,
    stream: TlsStream<TcpStream>,
}

impl Connection {
    /// Connects; an error is that of TCP or TLS.
    pub fn open(address: SocketAddr, ca: &str) -> std::io::Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(ca.as_bytes()) {
            roots.add(certificate.expect("PEM")).expect("a certificate");
        }
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions of TLS")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let stream = runtime.block_on(async {
            let stream = TcpStream::connect(address).await?;
            TlsConnector::from(Arc::new(config)).connect(ServerName::from(address.ip()), stream).await
        })?;
        Ok(Self { runtime, stream })
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.runtime.block_on(async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        })
    }

    /// Reads one answer, whose head names the length of its body.
    pub fn answer(&mut self) -> std::io::Result<Answer> {
        self.runtime.block_on(async {
            let reading = answer(&mut self.stream);
            tokio::time::timeout(PATIENCE, reading).await.map_err(std::io::Error::other)?
        })
    }

    /// Sends a request and reads its answer; the connection stays open.
    pub fn ask(&mut self, method: &str, path: &str, body: &str) -> std::io::Result<Answer> {
        let kind = "application/json";
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: test\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
        );
        self.send(head.as_bytes())?;
        self.send(body.as_bytes())?;
        self.answer()
    }

    /// Waits until the server closes the connection, and returns how long that took; `None` if
    /// it does not.
    pub fn until_closed(&mut self) -> Option<Duration> {
        let begin = std::time::Instant::now();
        let mut rest = Vec::new();
        let reading = self
            .runtime
            .block_on(async { tokio::time::timeout(PATIENCE, self.stream.read_to_end(&mut rest)).await });
        // A connection that is cut off without TLS's farewell is closed, too.
        reading.ok().map(|_| begin.elapsed())
    }
}

async fn answer(stream: &mut TlsStream<TcpStream>) -> std::io::Result<Answer> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let length = head.lines().filter_map(|line| line.split_once(": ")).find_map(|(name, value)| {
        name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().ok()).flatten()
    });
    let mut body = vec![0; length.unwrap_or_default()];
    stream.read_exact(&mut body).await?;
    let body = String::from_utf8_lossy(&body).into_owned();
    Ok(Answer { status: status.ok_or_else(|| std::io::Error::other("no status"))?, head, body })
}
