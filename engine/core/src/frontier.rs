//! The Merkle tree of a log (RFC 6962), as far as it is needed to extend it.

use sha2::{Digest, Sha256};

use crate::{EventHash, Position};

const NODE_PREFIX: [u8; 1] = [1];
const HASH_LEN: usize = 32;

/// The right edge of a Merkle tree: the roots of its complete subtrees, the largest first. A tree of a billion events
/// has 30 of them at most. It is enough to add leaves and to compute the root, at any time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    subtrees: Vec<EventHash>,
}

/// The bytes are not the frontier of a tree of this size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a tree of {size} leaves has {} complete subtrees, but there are {bytes} bytes", size.count_ones())]
pub struct FrontierError {
    size: u64,
    bytes: usize,
}

impl Frontier {
    /// The size of the tree, which is the position of the last event.
    pub fn position(&self) -> Position {
        Position(i64::try_from(self.size).expect("positions are below 2^63"))
    }

    /// Adds the next event.
    pub fn push(&mut self, leaf: EventHash) {
        let mut subtree = leaf;
        // Each complete subtree of the same size is joined with the new one.
        for _ in 0..self.size.trailing_ones() {
            let left = self.subtrees.pop().expect("there is a subtree for each bit of the size");
            subtree = node(left, subtree);
        }
        self.subtrees.push(subtree);
        self.size += 1;
    }

    /// The Merkle tree hash of all events.
    pub fn root(&self) -> EventHash {
        let joined = self.subtrees.iter().copied().rev().reduce(|right, left| node(left, right));
        joined.unwrap_or_else(|| EventHash(Sha256::digest([]).into()))
    }

    /// The subtrees one after another, the largest first, 32 bytes each.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.subtrees.iter().flat_map(|subtree| subtree.0).collect()
    }

    /// The frontier of a tree of this size.
    pub fn from_bytes(position: Position, bytes: &[u8]) -> Result<Frontier, FrontierError> {
        let size = u64::try_from(position.0).unwrap_or(0);
        let subtrees: Vec<EventHash> = bytes.chunks(HASH_LEN).filter_map(EventHash::from_slice).collect();
        let is_whole = subtrees.len() * HASH_LEN == bytes.len();
        if is_whole && subtrees.len() == size.count_ones() as usize {
            Ok(Frontier { size, subtrees })
        } else {
            Err(FrontierError { size, bytes: bytes.len() })
        }
    }
}

fn node(left: EventHash, right: EventHash) -> EventHash {
    let hash = Sha256::new().chain_update(NODE_PREFIX).chain_update(left.0).chain_update(right.0);
    EventHash(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The leaves and roots with which implementations of RFC 6962 are tested.
    const LEAVES: [&str; 8] =
        ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    const ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    fn leaf(hex: &str) -> EventHash {
        let bytes: Vec<u8> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        EventHash(Sha256::new().chain_update([0]).chain_update(bytes).finalize().into())
    }

    #[test]
    fn the_roots_are_those_of_rfc_6962() {
        let mut frontier = Frontier::default();
        assert_eq!(frontier.root().to_string(), ROOTS[0]);
        for (n, hex) in LEAVES.into_iter().enumerate() {
            frontier.push(leaf(hex));
            assert_eq!(frontier.root().to_string(), ROOTS[n + 1]);
        }
    }

    #[test]
    fn a_frontier_is_read_as_it_was_written() {
        let mut frontier = Frontier::default();
        for n in 0..100 {
            let read = Frontier::from_bytes(Position(n), &frontier.to_bytes()).unwrap();
            assert_eq!(read, frontier);
            assert_eq!(read.position(), Position(n));
            frontier.push(leaf("00"));
        }
    }

    #[test]
    fn bytes_that_do_not_fit_the_size_are_refused() {
        for (size, bytes) in [(0, 32), (1, 0), (2, 31), (3, 32), (3, 65), (-1, 32)] {
            assert!(Frontier::from_bytes(Position(size), &vec![0; bytes]).is_err(), "{size}, {bytes}");
        }
    }
}
