//! One pass: gather -> decide -> act -> record, with the hook around every effect.

use std::future::{Future, ready};

use futures::StreamExt;
use serde_json::Value;
use tokio::time::Instant;

use crate::client::Io;
use crate::fault;
use crate::hook::{Moment, Step};
use crate::key::Key;
use crate::pass::{Class, Controller, Done, Fault, Found, Next, Plan, Write};
use crate::plans::{Entry, describe};
use crate::runtime::Context;

/// How a pass ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// The object does not exist, or is finished.
    Gone,
    /// It went through; what comes next.
    Fine(Next),
    /// A step failed.
    Failed(Fault, Next),
}

/// Runs one pass of a controller for a key. Everything that happened is in the book afterwards.
pub async fn pass<C: Controller>(context: &Context, controller: &C, key: &Key) -> Ended {
    let started = Instant::now();
    let name = controller.name();
    let view = match controller.gather(key).await {
        Found::View(view) => view,
        Found::Missing => {
            context.plans.forget(name, key);
            return Ended::Gone;
        }
        Found::Later(fault) => {
            let next = Next::Rest;
            let entry = Entry::new(context.clock.now(), started.elapsed(), &next).with_fault(Some(&fault));
            context.plans.add(name, key, entry);
            return Ended::Failed(fault, next);
        }
    };
    let plan = controller.decide(&view);
    tracing::debug!(writes = plan.writes.len(), call = plan.call.is_some(), next = ?plan.next, "decided");
    let effects = Effects { context, controller: name, key };
    let (mut done, versions) = effects.act(controller, &view, &plan).await;
    let call = plan.call.as_ref().map(|call| format!("{call:?}"));
    let mut writes: Vec<String> = plan.writes.iter().chain(&plan.last).map(describe).collect();
    done.at = context.clock.now();
    let record = controller.record(&view, plan, &done);
    let mut failed = record.fault;
    if let Some(status) = record.status {
        writes.push(describe(&status));
        let written = effects.write(&versions.refresh(status)).await;
        // Without its object there is nothing to show a status on.
        if let Err(problem) = written
            && problem.reason != fault::NOT_FOUND
        {
            failed = failed.or(Some(problem));
        }
    }
    for note in record.notes {
        context.recorder.note(name, note);
    }
    let entry = Entry { writes, call, ..Entry::new(context.clock.now(), started.elapsed(), &record.next) };
    if record.next == Next::Gone && failed.is_none() {
        context.plans.forget(name, key);
        return Ended::Gone;
    }
    context.plans.add(name, key, entry.with_fault(failed.as_ref()));
    match failed {
        Some(fault) => Ended::Failed(fault, record.next),
        None => Ended::Fine(record.next),
    }
}

/// What became of one chain of writes.
#[derive(Debug, Clone, PartialEq)]
pub struct ChainDone {
    /// The objects as the API server returned them, in order; shorter than the chain after a failure.
    pub written: Vec<Value>,
    /// The write that failed.
    pub failed: Option<Fault>,
}

/// Performs chains of writes that do not depend on each other: each chain in order until one of its writes fails,
/// `at_once` chains at a time. For the `call` of a controller whose one pass serves many objects; the hook sees
/// every write. Answers in the order of the chains.
pub async fn chains(
    context: &Context,
    controller: &'static str,
    key: &Key,
    chains: Vec<Vec<Write>>,
    at_once: usize,
) -> Vec<ChainDone> {
    chains_asking(context, controller, key, chains, at_once, |_, _| ready(Ok(()))).await
}

/// As [`chains`], where each write, named by its chain and its place in it, waits for an answer to `ask`; a fault is
/// the end of the chain before that write. For what only a read right before a write can tell.
pub async fn chains_asking<F>(
    context: &Context,
    controller: &'static str,
    key: &Key,
    chains: Vec<Vec<Write>>,
    at_once: usize,
    ask: impl Fn(usize, usize) -> F,
) -> Vec<ChainDone>
where
    F: Future<Output = Result<(), Fault>>,
{
    let (effects, ask) = (&Effects { context, controller, key }, &ask);
    let running = futures::stream::iter(chains).enumerate().map(|(chain, writes)| async move {
        let (written, failed) = effects.chain(&writes, &mut Versions::default(), |write| ask(chain, write)).await;
        ChainDone { written, failed }
    });
    running.buffered(at_once.max(1)).collect().await
}

struct Effects<'a> {
    context: &'a Context,
    controller: &'static str,
    key: &'a Key,
}

impl Effects<'_> {
    fn io(&self) -> &Io {
        &self.context.io
    }

    async fn hook(&self, moment: Moment, step: Step<'_>) -> Result<(), Fault> {
        self.context.hook.at(self.controller, self.key, moment, step).await
    }

    async fn act<C: Controller>(
        &self,
        controller: &C,
        view: &C::View,
        plan: &Plan<C::Call>,
    ) -> (Done<C::Answer>, Versions) {
        let mut versions = Versions::default();
        let (written, failed) = self.chain(&plan.writes, &mut versions, |_| ready(Ok(()))).await;
        let mut done = Done { written, failed, answer: None, late: None, at: self.context.clock.now() };
        if done.failed.is_some() {
            return (done, versions);
        }
        if let Some(call) = &plan.call {
            let answer = self.call(controller, view, call).await;
            if answer.is_ok() {
                (_, done.late) = self.chain(&plan.last, &mut versions, |_| ready(Ok(()))).await;
            }
            done.answer = Some(answer);
        }
        (done, versions)
    }

    /// Writes in order, each when it may be, until one fails.
    async fn chain<F>(
        &self,
        writes: &[Write],
        versions: &mut Versions,
        may: impl Fn(usize) -> F,
    ) -> (Vec<Value>, Option<Fault>)
    where
        F: Future<Output = Result<(), Fault>>,
    {
        let mut written = Vec::new();
        for (at, write) in writes.iter().enumerate() {
            if let Err(fault) = may(at).await {
                return (written, Some(fault));
            }
            let write = versions.refresh(write.clone());
            match self.write(&write).await {
                Ok(answer) => {
                    versions.learn(&write, &answer);
                    written.push(answer);
                }
                Err(fault) => return (written, Some(fault)),
            }
        }
        (written, None)
    }

    async fn write(&self, write: &Write) -> Result<Value, Fault> {
        self.hook(Moment::Before, Step::Write(write)).await?;
        let answer = self.io().apply(write).await?;
        self.hook(Moment::After, Step::Write(write)).await?;
        tracing::debug!(write = %describe(write), "wrote");
        Ok(answer)
    }

    async fn call<C: Controller>(&self, controller: &C, view: &C::View, call: &C::Call) -> Result<C::Answer, Fault> {
        let text = format!("{call:?}");
        self.hook(Moment::Before, Step::Call(&text)).await?;
        let answer = controller.call(view, call).await?;
        self.hook(Moment::After, Step::Call(&text)).await?;
        tracing::info!(call = %text, "called");
        Ok(answer)
    }
}

/// The resourceVersions that earlier writes of the same pass have moved, so that a later exact write of the same
/// object is compared with the state that this pass itself made.
#[derive(Default)]
struct Versions {
    moved: Vec<(String, Key, Option<String>, Option<String>)>,
}

impl Versions {
    fn learn(&mut self, write: &Write, answer: &Value) {
        let target = write.target();
        let version = answer.pointer("/metadata/resourceVersion").and_then(Value::as_str).map(ToOwned::to_owned);
        let entry = (target.resource.kind.clone(), target.key.clone(), target.resource_version.clone(), version);
        self.moved.push(entry);
    }

    /// Only a write that was exact itself proves that nobody else came between.
    fn refresh(&self, mut write: Write) -> Write {
        let (Write::Create { target, .. }
        | Write::Patch { target, .. }
        | Write::Status { target, .. }
        | Write::Delete { target }) = &mut write;
        for (kind, key, from, to) in &self.moved {
            let same = *kind == target.resource.kind && *key == target.key;
            if same && target.resource_version.is_some() && target.resource_version == *from && to.is_some() {
                target.resource_version.clone_from(to);
            }
        }
        write
    }
}

/// The fault of a pass that panicked.
pub(crate) fn panicked(payload: &(dyn std::any::Any + Send)) -> Fault {
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    Fault::new(Class::Bug, "Panic", format!("internal error, please report it: {text}"))
}

#[cfg(test)]
mod tests;
