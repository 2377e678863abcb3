//! A line to a server that fails as networks and balancers do: out for some time, or cut
//! in the middle of what is sent.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// How much is passed on at once.
const PIECE: usize = 16 << 10;

/// The largest head of a request that is read before an answer.
const MAX_HEAD: usize = 64 << 10;

/// A way of failing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// From the first connection on for so long, each request is answered with 503.
    OutFor(Duration),
    /// Two of five connections break, somewhere in the first bytes towards the server:
    /// so many of them at most.
    Cuts(usize),
}

/// The line. Its threads end with their connections.
#[derive(Debug)]
pub struct BrokenLine {
    address: SocketAddr,
    failed: Arc<AtomicUsize>,
}

impl BrokenLine {
    /// A line to `server` (`host:port`).
    pub fn to(server: &str, fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let (server, failed) = (server.to_owned(), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&failed);
        std::thread::spawn(move || {
            let first = OnceLock::new();
            // A generator of Lehmer's: every run breaks the same connections.
            let mut random = 1_u64;
            for client in listener.incoming().flatten() {
                let began = *first.get_or_init(Instant::now);
                random = random * 48_271 % 0x7fff_ffff;
                let until = match fault {
                    Fault::OutFor(time) if began.elapsed() < time => {
                        count.fetch_add(1, Ordering::Relaxed);
                        std::thread::spawn(move || refuse(client));
                        continue;
                    }
                    Fault::Cuts(most) if random % 5 < 2 && count.load(Ordering::Relaxed) < most => {
                        count.fetch_add(1, Ordering::Relaxed);
                        usize::try_from(random % (2 << 20)).expect("a small number")
                    }
                    Fault::OutFor(_) | Fault::Cuts(_) => usize::MAX,
                };
                let Ok(server) = TcpStream::connect(&server) else { continue };
                join(client, server, until);
            }
        });
        Self { address, failed }
    }

    /// `http://127.0.0.1:<port>`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many connections it has failed.
    pub fn failed(&self) -> usize {
        self.failed.load(Ordering::Relaxed)
    }
}

/// Answers one request as a balancer whose servers are all gone.
fn refuse(mut client: TcpStream) {
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") && head.len() < MAX_HEAD {
        match client.read(&mut buffer) {
            Ok(count @ 1..) => head.extend_from_slice(&buffer[..count]),
            Ok(_) | Err(_) => return,
        }
    }
    let answer = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    // The client may have gone.
    let _ = client.write_all(answer);
}

/// Passes bytes on in both directions, towards the server `until` at most.
fn join(client: TcpStream, server: TcpStream, until: usize) {
    let (Ok(answers_to), Ok(answers_from)) = (client.try_clone(), server.try_clone()) else { return };
    std::thread::spawn(move || pass(client, server, until));
    std::thread::spawn(move || pass(answers_from, answers_to, usize::MAX));
}

fn pass(mut from: TcpStream, mut to: TcpStream, until: usize) {
    let (mut buffer, mut passed) = (vec![0; PIECE], 0_usize);
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        passed = passed.saturating_add(count);
        if passed > until {
            // A reset, because something is unread; either side may be gone already.
            let _ = from.shutdown(Shutdown::Both);
            let _ = to.shutdown(Shutdown::Both);
            return;
        }
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    // The other side may be gone already.
    let _ = to.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
}
