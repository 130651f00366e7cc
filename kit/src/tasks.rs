//! [`until_first`]: long-running parts of a family that live and end together.
//!
//! A part that ends while the others go on is the worst case for a user: the process looks healthy, and one kind of
//! object is not looked after any more. So the first end is noticed at once, whichever part it is.

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::task::{JoinError, JoinHandle};

use crate::runtime::Context;

/// A part that runs, and what to call it when it ends.
#[derive(Debug)]
pub struct Task {
    name: &'static str,
    handle: JoinHandle<()>,
}

impl Task {
    /// Starts a part. It must end when the context's shutdown fires, and not before.
    pub fn spawn(name: &'static str, part: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { name, handle: tokio::spawn(part) }
    }
}

/// Why a family ended although nobody asked it to.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// A part panicked; the process should end and be started again.
    #[error("{name} broke: {source}")]
    Broke {
        /// Which part.
        name: &'static str,
        /// How.
        source: JoinError,
    },
    /// A part returned; the process should end and be started again.
    #[error("{name} ended by itself")]
    Early {
        /// Which part.
        name: &'static str,
    },
}

/// Runs until the first of the tasks ends, then fires the context's shutdown and waits for the others. It is no error
/// when shutdown was asked for or leadership was lost before.
pub async fn until_first(context: &Context, tasks: impl IntoIterator<Item = Task>) -> Result<(), Ended> {
    let named = |task: Task| async move { (task.name, task.handle.await) };
    let mut running: FuturesUnordered<_> = tasks.into_iter().map(named).collect();
    let mut result = Ok(());
    while let Some((name, end)) = running.next().await {
        let asked = context.shutdown.is_cancelled() || !context.leadership.is_held();
        context.shutdown.cancel();
        let ended = match end {
            Ok(()) if asked => continue,
            Ok(()) => Ended::Early { name },
            Err(source) => Ended::Broke { name, source },
        };
        tracing::error!(%ended, "a part of this process is gone");
        result = result.and(Err(ended));
    }
    result
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::lease::Leadership;
    use crate::testing::Fake;

    fn context() -> Context {
        Context::new(Fake::default().io(), CancellationToken::new())
    }

    /// A part that ends at shutdown, and whether it came that far.
    fn good(context: &Context) -> (Task, Arc<AtomicBool>) {
        let (stop, ended) = (context.shutdown.clone(), Arc::new(AtomicBool::new(false)));
        let done = ended.clone();
        let part = async move {
            stop.cancelled().await;
            tokio::task::yield_now().await;
            done.store(true, Ordering::SeqCst);
        };
        (Task::spawn("good", part), ended)
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_any_part_ends_all_at_once() {
        for place in 0..3 {
            for panics in [false, true] {
                let context = context();
                let bad = Task::spawn("bad", async move { assert!(!panics, "as it was told") });
                let ((one, ended), (other, other_ended)) = (good(&context), good(&context));
                let mut tasks = vec![one, other];
                tasks.insert(place, bad);
                let result = tokio::time::timeout(Duration::from_mins(1), until_first(&context, tasks)).await;
                let told = result.expect("noticed").unwrap_err().to_string();
                assert!(told.starts_with(if panics { "bad broke" } else { "bad ended by itself" }), "{told}");
                assert!(ended.load(Ordering::SeqCst) && other_ended.load(Ordering::SeqCst), "the others were left");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_that_was_asked_for_is_no_error() {
        let context = context();
        let (part, _) = good(&context);
        context.shutdown.cancel();
        until_first(&context, [part]).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_lost_its_lease_ends_without_a_word_here() {
        let (sender, leadership) = Leadership::test();
        let context = context().with_leadership(leadership);
        let (part, _) = good(&context);
        drop(sender);
        until_first(&context, [part, Task::spawn("worker", async {})]).await.unwrap();
        assert!(context.shutdown.is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_lost_while_all_run() {
        let context = context();
        let forever = Task::spawn("forever", pending());
        let waiting = until_first(&context, [forever]);
        assert!(tokio::time::timeout(Duration::from_hours(1), waiting).await.is_err());
        assert!(!context.shutdown.is_cancelled());
    }
}
