//! A line of so many bytes per second in front of a server.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A thread that wakes up later than it should makes good for so much of it.
const LATE: Duration = Duration::from_millis(100);

/// How much is passed on at once.
const PIECE: usize = 16 << 10;

/// The line. Its threads end with their connections.
#[derive(Debug)]
pub struct SlowLine {
    address: SocketAddr,
}

impl SlowLine {
    /// A line to `server` (`host:port`). All connections share its rate, which
    /// counts towards the server only.
    pub fn to(server: &str, bytes_per_second: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let server = server.to_owned();
        let line = Arc::new(Mutex::new(Instant::now()));
        let per_byte = Duration::from_secs(1) / bytes_per_second;
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(&server) else { continue };
                join(client, server, &line, per_byte);
            }
        });
        Self { address }
    }

    /// `http://127.0.0.1:<port>`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

fn join(client: TcpStream, server: TcpStream, line: &Arc<Mutex<Instant>>, per_byte: Duration) {
    let (Ok(answers_to), Ok(answers_from)) = (client.try_clone(), server.try_clone()) else { return };
    let line = Arc::clone(line);
    std::thread::spawn(move || {
        pass(client, server, |bytes| {
            // Everybody takes the next free stretch of time of the line.
            let until = {
                let mut free = line.lock().expect("nobody panics");
                *free = Instant::now().max(*free + LATE).checked_sub(LATE).unwrap_or(*free)
                    + per_byte * u32::try_from(bytes).expect("a piece is small");
                *free
            };
            std::thread::sleep(until.saturating_duration_since(Instant::now()));
        });
    });
    std::thread::spawn(move || pass(answers_from, answers_to, |_| {}));
}

fn pass(mut from: TcpStream, mut to: TcpStream, wait: impl Fn(usize)) {
    let mut buffer = vec![0; PIECE];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        wait(count);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    // The other side may be gone already.
    let _ = to.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
}
