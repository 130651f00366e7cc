//! [`Metrics`]: the registry of the process, with the families that every controller has. Names as the Go peers'
//! (controller-runtime), so that dashboards keep working; ours begin with `metal3_`.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::plans::Book;

/// Label of the queue families; both names are used by dashboards.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct QueueLabels {
    /// The controller.
    pub name: String,
    /// The controller again.
    pub controller: String,
}

/// Label of per-controller families.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ControllerLabels {
    /// The controller.
    pub controller: String,
}

/// Labels of the pass counter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ResultLabels {
    /// The controller.
    pub controller: String,
    /// `success`, `error`, `requeue` or `requeue_after`.
    pub result: String,
}

/// Labels of waits and faults.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReasonLabels {
    /// The controller.
    pub controller: String,
    /// CamelCase, bounded vocabulary.
    pub reason: String,
}

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// The families of kit itself.
#[derive(Debug, Clone)]
pub(crate) struct Families {
    pub(crate) adds: Family<QueueLabels, Counter>,
    pub(crate) retries: Family<QueueLabels, Counter>,
    pub(crate) depth: Family<QueueLabels, Gauge>,
    pub(crate) queued: Histograms<QueueLabels>,
    pub(crate) worked: Histograms<QueueLabels>,
    pub(crate) passes: Family<ResultLabels, Counter>,
    pub(crate) errors: Family<ControllerLabels, Counter>,
    pub(crate) panics: Family<ControllerLabels, Counter>,
    pub(crate) active: Family<ControllerLabels, Gauge>,
    pub(crate) maximum: Family<ControllerLabels, Gauge>,
    pub(crate) took: Histograms<ControllerLabels>,
    pub(crate) faults: Family<ReasonLabels, Counter>,
    waiting: Family<ReasonLabels, Gauge>,
    pub(crate) dropped_events: Counter,
}

fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 2.5, 14))
}

/// All metrics of the process. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    pub(crate) families: Families,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        let families = Families::register(&mut registry);
        Self { registry: Arc::new(Mutex::new(registry)), families }
    }
}

impl Metrics {
    /// Registers families of a controller. prometheus-client appends `_total` to the names of counters.
    pub fn register<T>(&self, with: impl FnOnce(&mut Registry) -> T) -> T {
        with(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Everything in OpenMetrics text. What keys wait for is counted from the book.
    pub fn render(&self, book: &Book) -> String {
        self.families.waiting.clear();
        for (controller, _, entry) in book.waiting(None) {
            if let Some(wait) = entry.wait {
                let labels = ReasonLabels { controller: controller.to_owned(), reason: wait.reason.to_owned() };
                self.families.waiting.get_or_create(&labels).inc();
            }
        }
        let mut text = String::new();
        // Writing into a String cannot fail.
        let _ = encode(&mut text, &self.registry.lock().unwrap_or_else(PoisonError::into_inner));
        text
    }
}

impl Families {
    fn register(registry: &mut Registry) -> Self {
        let families = Self {
            adds: Family::default(),
            retries: Family::default(),
            depth: Family::default(),
            queued: Family::new_with_constructor(seconds),
            worked: Family::new_with_constructor(seconds),
            passes: Family::default(),
            errors: Family::default(),
            panics: Family::default(),
            active: Family::default(),
            maximum: Family::default(),
            took: Family::new_with_constructor(seconds),
            faults: Family::default(),
            waiting: Family::default(),
            dropped_events: Counter::default(),
        };
        let f = &families;
        registry.register("workqueue_adds", "Wakes that made a key due", f.adds.clone());
        registry.register("workqueue_retries", "Passes that failed and were queued again", f.retries.clone());
        registry.register("workqueue_depth", "Keys that are due now", f.depth.clone());
        registry.register("workqueue_queue_duration_seconds", "How long keys were due before a pass", f.queued.clone());
        registry.register("workqueue_work_duration_seconds", "How long passes took", f.worked.clone());
        registry.register("controller_runtime_reconcile", "Passes by result", f.passes.clone());
        registry.register("controller_runtime_reconcile_errors", "Passes that failed", f.errors.clone());
        registry.register("controller_runtime_reconcile_panics", "Passes that panicked", f.panics.clone());
        registry.register("controller_runtime_active_workers", "Passes running now", f.active.clone());
        registry.register("controller_runtime_max_concurrent_reconciles", "Passes allowed at once", f.maximum.clone());
        registry.register("controller_runtime_reconcile_time_seconds", "How long passes took", f.took.clone());
        registry.register("metal3_pass_faults", "Failed passes by reason", f.faults.clone());
        registry.register("metal3_waiting_keys", "Keys that wait, by reason", f.waiting.clone());
        registry.register(
            "metal3_events_dropped",
            "Events not published: the queue was full",
            f.dropped_events.clone(),
        );
        families
    }
}

/// The labels of a controller's queue.
pub(crate) fn queue(controller: &str) -> QueueLabels {
    QueueLabels { name: controller.to_owned(), controller: controller.to_owned() }
}

/// The label of a controller.
pub(crate) fn controller(controller: &str) -> ControllerLabels {
    ControllerLabels { controller: controller.to_owned() }
}
