//! Addresses for servers that a test starts.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{LazyLock, Mutex, PoisonError};

use tokio::net::TcpSocket;

/// Outside the range from which the system takes local ports, and outside the embedded Kafka's range, so that a port that
/// was free when it was chosen is still free when it is used.
const PORTS: std::ops::Range<u16> = 10_000..19_000;

/// A loopback address on which nothing listens, and that no other test of this process was given.
pub fn free_address() -> SocketAddr {
    static GIVEN: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let count = u64::from(PORTS.end - PORTS.start);
    for n in 0..10_000_u32 {
        let offset = RandomState::new().hash_one(n) % count;
        let port = PORTS.start + u16::try_from(offset).expect("the range is within the ports");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if !given.contains(&port) && is_free(address) {
            given.insert(port);
            return address;
        }
    }
    panic!("no port is free from {} to {}", PORTS.start, PORTS.end);
}

/// Binds without listening: a process that another test is just starting inherits a copy of the socket until it executes
/// its own program, and a listening copy would keep the address in use for that long.
fn is_free(address: SocketAddr) -> bool {
    let bound = TcpSocket::new_v4().and_then(|socket| {
        socket.set_reuseaddr(true)?;
        socket.bind(address)
    });
    bound.is_ok()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn each_address_is_given_out_once_and_is_free() {
        let (one, other) = (free_address(), free_address());
        assert_ne!(one, other);
        let _listener = TcpListener::bind(one).unwrap();
        assert!(!is_free(one));
        assert!(is_free(other));
    }
}
