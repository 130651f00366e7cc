//! Where tests look in and break things: before and after every write and every external call.
//!
//! Production uses [`NoHook`]. A fault plan implements [`Hook`] and answers with the fault to inject at a position;
//! "after" means that the effect has happened and only its answer is lost.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use crate::key::Key;
use crate::pass::{Fault, Write};

/// What is about to happen, or has just happened.
#[derive(Debug, Clone, Copy)]
pub enum Step<'a> {
    /// A Kubernetes write.
    Write(&'a Write),
    /// The external call of a controller's pass; the text is the call's `Debug` form.
    Call(&'a str),
}

/// Before or after the effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// The effect has not happened; a fault prevents it.
    Before,
    /// The effect has happened; a fault hides its answer.
    After,
}

/// The answer of a hook: `Err` replaces the outcome of the step.
pub type Verdict<'a> = Pin<Box<dyn Future<Output = Result<(), Fault>> + Send + 'a>>;

/// An observer of all effects that can make them fail, delay them, or never answer (which is a crash).
pub trait Hook: Debug + Send + Sync + 'static {
    /// Called around each effect of the pass of `controller` for `key`.
    fn at<'a>(&'a self, controller: &'a str, key: &'a Key, moment: Moment, step: Step<'a>) -> Verdict<'a>;
}

/// Lets everything happen.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHook;

impl Hook for NoHook {
    fn at<'a>(&'a self, _: &'a str, _: &'a Key, _: Moment, _: Step<'a>) -> Verdict<'a> {
        Box::pin(std::future::ready(Ok(())))
    }
}
