//! The host's side of isolation: joining a network namespace and finding free ports inside one.

use std::fs::File;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
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

/// Refuses what needs the way out to the world when the calling thread is in a namespace that [`run_in`] entered: there
/// a download fails after minutes, and only on machines that lack `what`.
pub fn has_way_out(what: &str) -> Result<()> {
    let own = std::fs::read_link("/proc/thread-self/ns/net").context("reading the thread's network namespace")?;
    let process = std::fs::read_link("/proc/self/ns/net").context("reading the process's network namespace")?;
    ensure!(own == process, "{what} is missing here: get it before the network namespace is entered (`prepare`)");
    Ok(())
}

/// Ports nobody listens on at that address, inside the namespace, and which nobody is given who asks after us.
pub fn free_ports(netns: Option<&Path>, address: IpAddr, count: usize) -> Result<Vec<u16>> {
    in_thread(netns, move || crate::ports::free(address, count))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_fetched_from_inside_a_namespace() {
        let name = format!("metal3-test-{}", std::process::id());
        let ip = |verb: &str| {
            assert!(std::process::Command::new("ip").args(["netns", verb, &name]).status().unwrap().success());
        };
        ip("add");
        let inside = run_in(Some(&netns_path(&name)), async || has_way_out("dnsmasq"));
        ip("delete");
        let refused = inside.unwrap_err().to_string();
        assert!(refused.starts_with("dnsmasq is missing here") && refused.contains("prepare"), "{refused}");
        run_in(None, async || has_way_out("dnsmasq")).unwrap();
    }
}
