//! How full each pool is and how long claims wait.

use kit::key::Key;
use kit::metrics::Metrics;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use std::sync::atomic::AtomicU64;

use crate::space::Usage;

/// Labels of the pool's gauges.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PoolLabels {
    /// Namespace of the pool.
    namespace: String,
    /// Name of the pool.
    pool: String,
}

type Gauges = Family<PoolLabels, Gauge<f64, AtomicU64>>;

/// The families of this controller.
#[derive(Debug, Clone)]
pub struct Families {
    total: Gauges,
    used: Gauges,
    free: Gauges,
    exhausted: Family<PoolLabels, Gauge>,
    waiting: Family<PoolLabels, Gauge>,
    refused: Counter,
    latency: Histogram,
}

impl Families {
    /// Registers the families.
    pub fn register(metrics: &Metrics) -> Self {
        let families = Self {
            total: Gauges::default(),
            used: Gauges::default(),
            free: Gauges::default(),
            exhausted: Family::default(),
            waiting: Family::default(),
            refused: Counter::default(),
            latency: Histogram::new(exponential_buckets(0.01, 2.0, 16)),
        };
        let f = &families;
        metrics.register(|registry| {
            registry.register("metal3_ipam_pool_addresses", "Addresses of a pool", f.total.clone());
            registry.register("metal3_ipam_pool_addresses_used", "Addresses that claims have", f.used.clone());
            registry.register("metal3_ipam_pool_addresses_free", "Addresses left for any claim", f.free.clone());
            let help = "Whether a pool has no address left for any claim";
            registry.register("metal3_ipam_pool_exhausted", help, f.exhausted.clone());
            registry.register("metal3_ipam_pool_claims_unserved", "Claims without an address", f.waiting.clone());
            registry.register("metal3_ipam_refusals", "Claims told why they get no address", f.refused.clone());
            let help = "Time from a claim's creation to its address";
            registry.register("metal3_ipam_allocation_seconds", help, f.latency.clone());
        });
        families
    }

    /// The state of a pool before a pass.
    pub fn seen(&self, pool: &Key, usage: Usage, unserved: usize) {
        let labels = labels(pool);
        self.total.get_or_create(&labels).set(usage.total as f64);
        self.used.get_or_create(&labels).set(usage.used as f64);
        self.free.get_or_create(&labels).set(usage.free as f64);
        self.exhausted.get_or_create(&labels).set(i64::from(usage.free == 0));
        self.waiting.get_or_create(&labels).set(unserved as i64);
    }

    /// The pool is gone.
    pub fn forget(&self, pool: &Key) {
        let labels = labels(pool);
        self.total.remove(&labels);
        self.used.remove(&labels);
        self.free.remove(&labels);
        self.exhausted.remove(&labels);
        self.waiting.remove(&labels);
    }

    /// A claim got its address this many seconds after it was made.
    pub fn granted(&self, seconds: f64) {
        self.latency.observe(seconds.max(0.0));
    }

    /// A claim was told why it gets none.
    pub fn refused(&self) {
        self.refused.inc();
    }
}

fn labels(pool: &Key) -> PoolLabels {
    PoolLabels { namespace: pool.namespace.clone(), pool: pool.name.clone() }
}
