//! An S3 server on a directory, for the examples of `deploy/` and their tests:
//! `s3-server DIRECTORY [ADDRESS]`.
//!
//! Every directory below DIRECTORY is a bucket; the buckets that `S3_BUCKETS`
//! names are made. Requests are signed with `AWS_ACCESS_KEY_ID` and
//! `AWS_SECRET_ACCESS_KEY`, or refused. With `S3_TLS_NAME` it speaks TLS under
//! that name, and its certificate authority is DIRECTORY/ca.pem. ADDRESS is
//! `0.0.0.0:9000` unless said otherwise; the one it got is printed. It ends on
//! INT and TERM.
//!
//! For trying things: it keeps nothing safe.

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (dir, address) = match words.as_slice() {
        [dir] => (dir, "0.0.0.0:9000"),
        [dir, address] => (dir, address.as_str()),
        _ => return Err("usage: s3-server DIRECTORY [ADDRESS]".into()),
    };
    let dir = Path::new(dir);
    std::fs::create_dir_all(dir)?;
    for bucket in std::env::var("S3_BUCKETS").unwrap_or_default().split_whitespace() {
        std::fs::create_dir_all(dir.join(bucket))?;
    }
    let service = service(dir)?;
    let tls = std::env::var("S3_TLS_NAME").ok().map(|name| tls(dir, &name)).transpose()?;
    // As PID 1 of a container it would not die of a signal it does not handle.
    let mut stops =
        signal_hook::iterator::Signals::new([signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM])?;
    std::thread::spawn(move || {
        if stops.forever().next().is_some() {
            std::process::exit(0);
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(address, service, tls))
}

fn service(dir: &Path) -> Result<S3Service, Failure> {
    let key = |name: &str| std::env::var(name).map_err(|_| format!("{name} is not set"));
    let store = s3s_fs::FileSystem::new(dir).map_err(|error| format!("{}: {error:?}", dir.display()))?;
    let mut builder = S3ServiceBuilder::new(store);
    builder.set_auth(SimpleAuth::from_single(key("AWS_ACCESS_KEY_ID")?, key("AWS_SECRET_ACCESS_KEY")?));
    Ok(builder.build())
}

fn tls(dir: &Path, name: &str) -> Result<TlsAcceptor, Failure> {
    let certificate = rcgen::generate_simple_self_signed([name.to_owned()])?;
    std::fs::write(dir.join("ca.pem"), certificate.cert.pem())?;
    let key =
        tokio_rustls::rustls::pki_types::PrivateKeyDer::try_from(certificate.signing_key.serialize_der())?;
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = config.with_no_client_auth().with_single_cert(vec![certificate.cert.der().clone()], key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn serve(address: &str, service: S3Service, tls: Option<TlsAcceptor>) -> Result<(), Failure> {
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (connection, _) = listener.accept().await?;
        let (service, tls) = (service.clone(), tls.clone());
        tokio::spawn(async move {
            match tls {
                None => speak(connection, service).await,
                // Who does not trust the certificate has said so by leaving.
                Some(tls) => {
                    if let Ok(connection) = tls.accept(connection).await {
                        speak(connection, service).await;
                    }
                }
            }
        });
    }
}

async fn speak(connection: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, service: S3Service) {
    let server = auto::Builder::new(TokioExecutor::new());
    if let Err(error) = server.serve_connection(TokioIo::new(connection), service).await {
        eprintln!("a connection ended: {error}");
    }
}
