//! A distance in front of a server: whatever passes arrives later, however much it is.
//! The handshake of TCP takes no time.

use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// How much is passed on at once.
const PIECE: usize = 64 << 10;

/// Pieces under way on a connection.
const MAX_UNDER_WAY: usize = 256;

/// The distance; it ends with the value.
#[derive(Debug)]
pub struct Distance {
    address: SocketAddr,
    _alive: oneshot::Sender<()>,
}

impl Distance {
    /// A distance of so much time in each direction to `server` (`host:port`).
    pub fn to(server: &str, one_way: Duration) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("not blocking");
        let address = listener.local_addr().expect("its address");
        let (alive, ended) = oneshot::channel();
        let server = server.to_owned();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                tokio::select! {
                    () = accept(listener, server, one_way) => {}
                    // The test is over.
                    _ = ended => {}
                }
            });
        });
        Self { address, _alive: alive }
    }

    /// `http://127.0.0.1:<port>`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn accept(listener: std::net::TcpListener, server: String, one_way: Duration) {
    let listener = TcpListener::from_std(listener).expect("a listener");
    while let Ok((client, _)) = listener.accept().await {
        let server = server.clone();
        tokio::spawn(async move {
            let Ok(server) = TcpStream::connect(server).await else { return };
            let (Ok(()), Ok(())) = (client.set_nodelay(true), server.set_nodelay(true)) else { return };
            let ((from_client, to_client), (from_server, to_server)) =
                (client.into_split(), server.into_split());
            tokio::join!(pass(from_client, to_server, one_way), pass(from_server, to_client, one_way));
        });
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, one_way: Duration) {
    let (under_way, mut arriving) = mpsc::channel::<(Instant, Vec<u8>)>(MAX_UNDER_WAY);
    let leave = async move {
        loop {
            let mut piece = Vec::with_capacity(PIECE);
            match from.read_buf(&mut piece).await {
                Ok(1..) if under_way.send((Instant::now() + one_way, piece)).await.is_ok() => {}
                Ok(_) | Err(_) => return,
            }
        }
    };
    let arrive = async move {
        while let Some((at, piece)) = arriving.recv().await {
            // The distance itself; nothing is waited for.
            tokio::time::sleep_until(at).await;
            if to.write_all(&piece).await.is_err() {
                return;
            }
        }
        // The other side may be gone already.
        let _ = to.shutdown().await;
    };
    tokio::join!(leave, arrive);
}
