//! Ports for servers of other makers, which want to know theirs before they listen.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// The first one that is handed out.
const FIRST: u16 = 10_000;

/// A port that nobody listens on and that no other test gets until the value is dropped.
///
/// It lies below those that the kernel gives to clients and to servers that leave the choice to
/// it: one of theirs could be taken by the next program before the server listens.
#[derive(Debug)]
pub struct Port {
    number: u16,
    /// Abstract names are like ports: one holder in a network namespace, gone with its process.
    _held: UnixListener,
}

impl Port {
    /// Takes a free one.
    pub fn take() -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let count = first_of_the_kernel().saturating_sub(FIRST).max(1);
        // Processes begin at different places, so that one seldom tries what another holds.
        let start = std::process::id().wrapping_mul(0x9e37_79b9) >> 16;
        let numbers = (0..count).map(|_| {
            let place = u32::from(NEXT.fetch_add(1, Ordering::Relaxed)) + start;
            FIRST + u16::try_from(place % u32::from(count)).expect("less than the number of ports")
        });
        let mut free = numbers.filter_map(|number| {
            let name = SocketAddr::from_abstract_name(format!("pod-utils-test-port-{number}"));
            let held = UnixListener::bind_addr(&name.expect("a short name")).ok()?;
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, number)).ok()?;
            Some(Self { number, _held: held })
        });
        free.next().expect("a free port")
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }
}

/// The lowest port that the kernel chooses by itself.
fn first_of_the_kernel() -> u16 {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let first = range.split_whitespace().next().and_then(|first| first.parse().ok());
    // The kernel's own default.
    first.filter(|first| *first > FIRST).unwrap_or(32_768)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_differ_can_be_listened_on_and_lie_below_the_kernels() {
        let ports: Vec<_> = (0..200).map(|_| Port::take()).collect();
        let mut numbers: Vec<_> = ports.iter().map(Port::number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), ports.len());
        for number in numbers {
            assert!((FIRST..first_of_the_kernel()).contains(&number), "{number}");
            TcpListener::bind((Ipv4Addr::LOCALHOST, number)).expect("free");
        }
    }
}
