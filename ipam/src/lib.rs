//! ipam: gives addresses from pools to claims. The smallest controller, and the one to read first.
//!
//! ```text
//!  IPClaim, IPAddressClaim --(wake their pool)--> gather: view.rs -> decide: decide.rs -> call: controller.rs
//!  IPPool, Cluster         -------'                                   | asks space.rs      | chains of writes
//!                                                                     v                    v
//!                                               record: record.rs <- which address     IPAddress, claim status
//! ```
//!
//! | file | what it knows |
//! |---|---|
//! | [`range`] | a set of numbers with the first free one in O(log n) |
//! | [`space`] | the addresses of a pool, who has which, and the choice of the next |
//! | [`names`] | objects of others that have the name of one of ours |
//! | [`contest`] | who keeps an address that several objects name |
//! | [`kinds`] | the two kinds of claims and addresses behind one face |
//! | [`view`] | what a decision may know, and how it is gathered |
//! | `live` | what is asked of the API server past the caches, within bounds |
//! | [`decide`] | what to do, without I/O and clock |
//! | [`record`] | status, events and the next look after the writes |
//! | [`controller`], [`metrics`], [`checks`] | the wiring |
//!
//! The truth is in the address objects. Names of address objects contain the address, so the API server itself lets no
//! address be given out twice to claims of one kind; for the rest a claim is told its address only after a look at the
//! other names that an object of it could have. The pool's status is a copy for people.

pub mod checks;
pub mod contest;
pub mod controller;
pub mod decide;
pub mod kinds;
mod live;
pub mod metrics;
pub mod names;
pub mod range;
pub mod record;
pub mod space;
pub mod view;

pub use checks::hooks;

use kit::runtime::Context;
use kit::tasks;
use kit::worker;

/// How the controller runs.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Pools handled at once (flag `--ippool-concurrency`). 10 by default.
    pub concurrency: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { concurrency: 10 }
    }
}

/// Runs until the context's shutdown fires or leadership is lost.
pub async fn run(context: Context, options: Options) -> Result<(), tasks::Ended> {
    let stores = view::Stores::start(&context);
    let wakes = stores.wakes();
    let workers = context.workers.concurrency(options.concurrency);
    let pools = controller::Pools::new(context.clone(), stores);
    tasks::until_first(&context, [worker::spawn(&context, pools, wakes, workers)]).await
}
