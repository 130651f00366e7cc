//! Ports for servers of the bench, which nobody else takes between the choice and the server's start.
//!
//! A port that the kernel names (`bind` to 0) is from the range out of which it also serves outgoing connections: by
//! the time the server starts, some client may hold it. So ports come from below that range, and each process has a
//! block of its own, held by a lock that ends with the process.

use std::fs::{File, TryLockError};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail};

/// First port of the first block; Linux takes outgoing connections from 32768 on.
const FIRST: u16 = 20_000;
/// Ports of a block.
const SIZE: u16 = 120;
/// Blocks, and so processes at a time.
const BLOCKS: u16 = 100;

/// The block of this process, taken with the first port.
static BLOCK: Mutex<Option<Block>> = Mutex::new(None);

struct Block {
    first: u16,
    next: u16,
    _lock: File,
}

impl Block {
    fn take(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        for number in 0..BLOCKS {
            let path = folder.join(format!("{number}.lock"));
            let lock = File::create(&path).with_context(|| format!("opening {}", path.display()))?;
            match lock.try_lock() {
                Ok(()) => return Ok(Self { first: FIRST + number * SIZE, next: 0, _lock: lock }),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => {
                    return Err(error).with_context(|| format!("locking {}", path.display()));
                }
            }
        }
        bail!("{BLOCKS} benches hold ports already (locks in {})", folder.display())
    }

    fn next(&mut self) -> u16 {
        let port = self.first + self.next;
        self.next = (self.next + 1) % SIZE;
        port
    }
}

/// Ports of this process's block on which nobody listens at that address, nor at all of them.
pub(crate) fn free(address: IpAddr, count: usize) -> Result<Vec<u16>> {
    let mut block = BLOCK.lock().unwrap_or_else(PoisonError::into_inner);
    let block = match &mut *block {
        Some(block) => block,
        none => none.insert(Block::take(&std::env::temp_dir().join("metal3-bench-ports"))?),
    };
    choose(block, address, count)
}

fn choose(block: &mut Block, address: IpAddr, count: usize) -> Result<Vec<u16>> {
    let everywhere = if address.is_ipv4() { IpAddr::from([0; 4]) } else { IpAddr::from([0; 16]) };
    let mut ports = Vec::new();
    for _ in 0..SIZE {
        if ports.len() == count {
            break;
        }
        let port = block.next();
        if [address, everywhere].iter().all(|address| TcpListener::bind(SocketAddr::new(*address, port)).is_ok()) {
            ports.push(port);
        }
    }
    if ports.len() < count {
        bail!("{count} free ports were wanted, {} are free from {} on", ports.len(), block.first);
    }
    Ok(ports)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn two_holders_have_different_ports_below_those_of_outgoing_connections() {
        let folder = std::env::temp_dir().join(format!("metal3-ports-{}", std::process::id()));
        let (mut one, mut two) = (Block::take(&folder).unwrap(), Block::take(&folder).unwrap());
        let first = choose(&mut one, LOOPBACK, 5).unwrap();
        let second = choose(&mut two, LOOPBACK, 5).unwrap();
        assert!(first.iter().all(|port| !second.contains(port)), "{first:?} {second:?}");
        assert!(first.iter().chain(&second).all(|port| (20_000..32_768).contains(port)));
        drop(one);
        assert_eq!(Block::take(&folder).unwrap().first, FIRST, "a block is free again with its holder's end");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_port_in_use_is_passed_over_and_none_is_named_twice_in_a_row() {
        let folder = std::env::temp_dir().join(format!("metal3-ports-used-{}", std::process::id()));
        let mut block = Block::take(&folder).unwrap();
        block.first = 32_100;
        let first = choose(&mut block, LOOPBACK, 1).unwrap()[0];
        block.next = 0;
        let _listener = TcpListener::bind((std::net::Ipv4Addr::UNSPECIFIED, first)).unwrap();
        let ports = choose(&mut block, LOOPBACK, 3).unwrap();
        assert!(!ports.contains(&first));
        assert_eq!(ports.iter().collect::<std::collections::BTreeSet<_>>().len(), 3);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
