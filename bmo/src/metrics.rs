//! What dashboards show of hosts, under the names of the Go peer. All of it is read from what hosts became, so that a
//! pass stays free of side effects and a restart counts nothing twice.

use api::metal3::{BareMetalHost, BareMetalHostStatus, OperationMetric, OperationalStatus};
use kit::metrics::Metrics;
use kit::store::Store;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use crate::host::credentials::{BAD_CREDENTIALS, NO_REFERENCE, NO_SECRET};
use crate::host::errors::{ErrorKind, GIVE_UP_DELETION_AFTER};
use crate::host::state::State as S;

/// Upper bounds of the phases that boot a machine, in seconds.
const PHASES: [f64; 6] = [30.0, 90.0, 180.0, 360.0, 720.0, 1440.0];
/// Upper bounds of registration, in seconds.
const REGISTRATION: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// A host.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Host {
    namespace: String,
    host: String,
}

/// A host and whether it went on or off.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Power {
    namespace: String,
    host: String,
    on_off: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Fault {
    error_type: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Way {
    prev_state: String,
    new_state: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InState {
    state: String,
}

type Histograms = Family<Host, Histogram, fn() -> Histogram>;

#[derive(Debug, Clone)]
struct Families {
    errors: Family<Fault, Counter>,
    ways: Family<Way, Counter>,
    power: Family<Power, Counter>,
    delayed_provisioning: Family<Host, Counter>,
    delayed_deprovisioning: Family<Host, Counter>,
    unmanaged: Counter,
    credentials_updated: Counter,
    credentials_missing: Counter,
    credentials_invalid: Counter,
    deleted_deployed: Counter,
    deleted_running: Counter,
    phases: [Histograms; 4],
    hosts: Family<InState, Gauge>,
}

/// Registers the families and keeps them by watching the hosts.
pub fn observe(metrics: &Metrics, hosts: &Store<BareMetalHost>) {
    let families = register(metrics);
    hosts.subscribe(move |old, new| families.changed(old, new));
}

fn register(metrics: &Metrics) -> Families {
    let registration: fn() -> Histogram = || Histogram::new(REGISTRATION);
    let phase: fn() -> Histogram = || Histogram::new(PHASES);
    let families = Families {
        errors: Family::default(),
        ways: Family::default(),
        power: Family::default(),
        delayed_provisioning: Family::default(),
        delayed_deprovisioning: Family::default(),
        unmanaged: Counter::default(),
        credentials_updated: Counter::default(),
        credentials_missing: Counter::default(),
        credentials_invalid: Counter::default(),
        deleted_deployed: Counter::default(),
        deleted_running: Counter::default(),
        phases: [registration, phase, phase, phase].map(Family::new_with_constructor),
        hosts: Family::default(),
    };
    metrics.register(|registry| {
        let f = &families;
        // The registry appends `_total` to counters; the two underscores are the peer's.
        registry.register("metal3_host_error", "Failures of hosts by kind", f.errors.clone());
        registry.register("metal3_provisioning_state_change", "Changes of state", f.ways.clone());
        registry.register("metal3_operation_power_change", "Machines that went on or off", f.power.clone());
        let delayed = "Hosts that waited for room in Ironic";
        registry.register("metal3_delayed__provisioning", delayed, f.delayed_provisioning.clone());
        registry.register("metal3_delayed__deprovisioning", delayed, f.delayed_deprovisioning.clone());
        registry.register("metal3_host_unmanaged", "Hosts without a management controller", f.unmanaged.clone());
        registry.register(
            "metal3_credentials_updated",
            "Credentials that were replaced",
            f.credentials_updated.clone(),
        );
        let wrong = [("missing", &f.credentials_missing), ("invalid", &f.credentials_invalid)];
        for (name, counter) in wrong {
            let text = format!("Times that a host was found with {name} credentials");
            registry.register(format!("metal3_credentials_{name}"), text, counter.clone());
        }
        let gave_up = [("deprovisioning", &f.deleted_deployed), ("powering_off", &f.deleted_running)];
        for (name, counter) in gave_up {
            let text = format!("Hosts deleted although {name} failed again and again");
            registry.register(format!("metal3_delete_without_{name}"), text, counter.clone());
        }
        for (name, family) in ["register", "inspect", "provision", "deprovision"].iter().zip(&f.phases) {
            let name = format!("metal3_operation_{name}_duration_seconds");
            registry.register(name, "How long a phase took", family.clone());
        }
        registry.register("metal3_hosts", "Hosts by state", f.hosts.clone());
    });
    families
}

impl Families {
    fn changed(&self, old: Option<&BareMetalHost>, new: Option<&BareMetalHost>) {
        let Some(host) = new.or(old) else { return };
        let label = Host {
            namespace: host.metadata.namespace.clone().unwrap_or_default(),
            host: host.metadata.name.clone().unwrap_or_default(),
        };
        let status = |host: Option<&BareMetalHost>| host.map(|host| host.status.clone().unwrap_or_default());
        let (before, after) = (status(old), status(new));
        self.count(before.as_ref(), after.as_ref());
        match (&before, &after) {
            (Some(before), Some(after)) => self.compare(&label, before, after),
            (_, None) => self.forget(&label),
            // Seen for the first time: whatever it went through was counted by whoever saw it happen.
            (None, Some(_)) => {}
        }
    }

    /// Hosts per state.
    fn count(&self, before: Option<&BareMetalHostStatus>, after: Option<&BareMetalHostStatus>) {
        let gauge = |status: &BareMetalHostStatus| {
            let state = status.provisioning.state.as_str().to_owned();
            self.hosts.get_or_create_owned(&InState { state })
        };
        if let Some(after) = after {
            gauge(after).inc();
        }
        if let Some(before) = before {
            gauge(before).dec();
        }
    }

    fn compare(&self, label: &Host, before: &BareMetalHostStatus, after: &BareMetalHostStatus) {
        let (from, to) = (&before.provisioning.state, &after.provisioning.state);
        if from != to {
            let way = Way { prev_state: from.as_str().to_owned(), new_state: to.as_str().to_owned() };
            self.ways.get_or_create(&way).inc();
            if *to == S::Unmanaged {
                self.unmanaged.inc();
            }
            match (from, to) {
                (S::Deprovisioning, S::PoweringOffBeforeDelete | S::Deleting)
                    if before.error_count > GIVE_UP_DELETION_AFTER =>
                {
                    self.deleted_deployed.inc();
                }
                (S::PoweringOffBeforeDelete, S::Deleting) if before.error_count > GIVE_UP_DELETION_AFTER => {
                    self.deleted_running.inc();
                }
                _ => {}
            }
        }
        if let Some(kind) = after.error_type.as_ref().and_then(|kind| ErrorKind::parse(kind.as_str()))
            && after.error_count > before.error_count
        {
            self.errors.get_or_create(&Fault { error_type: kind.event() }).inc();
        }
        if before.error_message != after.error_message {
            let says = |text: &str| after.error_message.starts_with(text);
            if says(NO_SECRET) {
                self.credentials_missing.inc();
            } else if says(NO_REFERENCE) || says(BAD_CREDENTIALS) {
                self.credentials_invalid.inc();
            }
        }
        if before.powered_on != after.powered_on {
            let (namespace, host) = (label.namespace.clone(), label.host.clone());
            let on_off = if after.powered_on { "on" } else { "off" };
            self.power.get_or_create(&Power { namespace, host, on_off }).inc();
        }
        let tried = &before.tried_credentials;
        if tried.credentials_version.is_some() && *tried != after.tried_credentials {
            self.credentials_updated.inc();
        }
        let delayed = |status: &BareMetalHostStatus| status.operational_status == OperationalStatus::Delayed;
        if delayed(after) && !delayed(before) {
            let leaves = matches!(to, S::Provisioned | S::Deprovisioning);
            let family = if leaves { &self.delayed_deprovisioning } else { &self.delayed_provisioning };
            family.get_or_create(label).inc();
        }
        let phases = |status: &BareMetalHostStatus| {
            let h = &status.operation_history;
            [h.register.clone(), h.inspect.clone(), h.provision.clone(), h.deprovision.clone()]
        };
        for ((old, new), family) in phases(before).iter().zip(&phases(after)).zip(&self.phases) {
            if let Some(seconds) = finished(old, new) {
                family.get_or_create(label).observe(seconds);
            }
        }
    }

    /// A host that is gone leaves no series behind.
    fn forget(&self, label: &Host) {
        for family in &self.phases {
            family.remove(label);
        }
        self.delayed_provisioning.remove(label);
        self.delayed_deprovisioning.remove(label);
        for on_off in ["on", "off"] {
            let (namespace, host) = (label.namespace.clone(), label.host.clone());
            self.power.remove(&Power { namespace, host, on_off });
        }
    }
}

/// How long an operation took that ended just now, in seconds.
fn finished(old: &OperationMetric, new: &OperationMetric) -> Option<f64> {
    let (start, end) = (new.start.as_ref()?, new.end.as_ref()?);
    (old.end != new.end).then(|| end.0.duration_since(start.0).as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::build::{self, Build as _};
    use kit::plans::Book;

    #[test]
    fn a_life_is_counted_and_forgotten() {
        let metrics = Metrics::default();
        let store = Store::<BareMetalHost>::fixed([]);
        observe(&metrics, &store);
        let mut host = build::host("ns", "a").version("1").state(S::Registering);
        store.seen(host.clone());
        host.metadata.resource_version = Some("2".into());
        host.status_mut().provisioning.state = S::Inspecting;
        let history = &mut host.status_mut().operation_history.register;
        history.start = Some(api::meta::Time("2026-01-01T00:00:00Z".parse().unwrap()));
        history.end = Some(api::meta::Time("2026-01-01T00:00:02Z".parse().unwrap()));
        host = host.error(api::metal3::ErrorType::Inspection, "no", 1);
        store.seen(host.clone());
        let text = metrics.render(&Book::default());
        for line in [
            "metal3_provisioning_state_change_total{prev_state=\"registering\",new_state=\"inspecting\"} 1",
            "metal3_host_error_total{error_type=\"InspectionError\"} 1",
            "metal3_operation_register_duration_seconds_sum{namespace=\"ns\",host=\"a\"} 2.0",
            "metal3_hosts{state=\"inspecting\"} 1",
            "metal3_hosts{state=\"registering\"} 0",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        store.vanished(&kit::key::Key::of(&host), None);
        assert!(!metrics.render(&Book::default()).contains("host=\"a\""));
    }

    #[test]
    fn wrong_credentials_and_forced_deletions_are_counted() {
        let metrics = Metrics::default();
        let store = Store::<BareMetalHost>::fixed([]);
        observe(&metrics, &store);
        let registration = api::metal3::ErrorType::Registration;
        let states = vec![
            build::host("ns", "a").state(S::Registering),
            build::host("ns", "a").state(S::Registering).error(registration.clone(), NO_SECRET, 1),
            build::host("ns", "a").state(S::Registering).error(registration.clone(), NO_SECRET, 2),
            build::host("ns", "a").state(S::Registering).error(registration, BAD_CREDENTIALS, 3),
            build::host("ns", "a").state(S::Deprovisioning).error(api::metal3::ErrorType::Provisioning, "no", 4),
            build::host("ns", "a").state(S::PoweringOffBeforeDelete),
            build::host("ns", "a").state(S::Deleting),
        ];
        for (version, host) in states.into_iter().enumerate() {
            store.seen(host.version(&(version + 1).to_string()));
        }
        let text = metrics.render(&Book::default());
        for line in [
            "metal3_credentials_missing_total 1",
            "metal3_credentials_invalid_total 1",
            "metal3_delete_without_deprovisioning_total 1",
            "metal3_delete_without_powering_off_total 0",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
