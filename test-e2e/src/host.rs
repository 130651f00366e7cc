//! The host's side of isolation: joining a network namespace and finding free ports inside one.

use std::fs::File;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Where `ip netns` keeps the namespace of that name.
pub fn netns_path(name: &str) -> PathBuf {
    Path::new("/run/netns").join(name)
}

/// Moves the calling thread into a network namespace. Threads and processes which it starts later are inside too, the
/// ones that exist already are not: so call it before a runtime is built, or use [`run_in`].
pub fn enter(netns: &Path) -> Result<()> {
    let file = File::open(netns).with_context(|| format!("opening the network namespace {}", netns.display()))?;
    move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
        .with_context(|| format!("entering the network namespace {} (this needs root)", netns.display()))
}

/// Runs `work` on a runtime of its own, whose threads and child processes all live in the namespace (or where the
/// caller is, with `None`). Blocks the calling thread, so it belongs into `main` or a plain `#[test]`.
pub fn run_in<T: Send>(netns: Option<&Path>, work: impl AsyncFnOnce() -> Result<T> + Send) -> Result<T> {
    in_thread(netns, move || tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work()))
}

/// Ports nobody listens on right now at that address, inside the namespace. They are all held together before they
/// are let go, so no port is named twice.
pub fn free_ports(netns: Option<&Path>, address: IpAddr, count: usize) -> Result<Vec<u16>> {
    in_thread(netns, move || {
        let held: Vec<TcpListener> =
            (0..count).map(|_| TcpListener::bind(SocketAddr::new(address, 0))).collect::<std::io::Result<_>>()?;
        held.iter().map(|listener| Ok(listener.local_addr()?.port())).collect()
    })
}

fn in_thread<T: Send>(netns: Option<&Path>, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    std::thread::scope(|scope| {
        let worker = scope.spawn(move || {
            if let Some(netns) = netns {
                enter(netns)?;
            }
            work()
        });
        worker.join().map_err(|_| anyhow!("the worker thread panicked"))?
    })
}
