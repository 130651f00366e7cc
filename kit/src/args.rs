//! Flags that every manager has, under the names of the Go peers where those have them.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::client::Io;
use crate::informer::Scope;
use crate::lease::Timing;
use crate::telemetry::LogFormat;

/// Common flags; flatten into a manager's own.
#[derive(Debug, Clone, clap::Args)]
pub struct Common {
    /// Kubeconfig file; without it the environment decides (KUBECONFIG, service account).
    #[arg(long)]
    pub kubeconfig: Option<String>,
    /// Watch only these namespaces (comma separated); empty means all.
    #[arg(long, env = "WATCH_NAMESPACE", default_value = "")]
    pub namespace: String,
    /// Handle only objects whose label cluster.x-k8s.io/watch-filter has this value; no effect on hosts.
    #[arg(long, default_value = "")]
    pub watch_filter: String,
    /// Let one of several replicas act.
    #[arg(long, alias = "enable-leader-election", default_value_t = false, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub leader_elect: bool,
    /// Namespace of the leases; by default the pod's own one, outside a cluster that of the kubeconfig.
    #[arg(long, env = "POD_NAMESPACE", default_value = "")]
    pub leader_election_namespace: String,
    /// Others may take over after this long without a renewal.
    #[arg(long, value_parser = duration, default_value = "15s")]
    pub leader_elect_lease_duration: Duration,
    /// A leader that could not renew for this long stops.
    #[arg(long, value_parser = duration, default_value = "10s")]
    pub leader_elect_renew_deadline: Duration,
    /// Pause between two looks at the lease.
    #[arg(long, value_parser = duration, default_value = "2s")]
    pub leader_elect_retry_period: Duration,
    /// Every object is looked at once in this time even when nothing changes; 0 turns it off.
    #[arg(long, value_parser = duration, default_value = "10m")]
    pub sync_period: Duration,
    /// Address of /healthz and /readyz; empty turns it off.
    #[arg(long, default_value = ":9440")]
    pub health_addr: Address,
    /// Address of /metrics and /why, over HTTPS and only for who may `get` these paths; empty turns it off.
    #[arg(long, aliases = ["metrics-bind-addr", "metrics-addr"], default_value = ":8443")]
    pub diagnostics_address: Address,
    /// Serve the diagnostics over plain HTTP to everybody.
    #[arg(long, default_value_t = false, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub insecure_diagnostics: bool,
    /// Port of the webhook server; 0 turns it off.
    #[arg(long, default_value_t = 9443)]
    pub webhook_port: u16,
    /// Directory with tls.crt and tls.key of the webhook server.
    #[arg(long, default_value = "/tmp/k8s-webhook-server/serving-certs")]
    pub webhook_cert_dir: PathBuf,
    /// Make a self-signed certificate for these names (comma separated) when the directory has none.
    #[arg(long, default_value = "")]
    pub webhook_self_signed: String,
    /// Form of log lines.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// What is logged, e.g. `info` or `info,kit=debug`.
    #[arg(long, default_value = "info")]
    pub log_level: String,
}

impl Common {
    /// The watched namespaces.
    pub fn scope(&self) -> Scope {
        Scope::parse(&self.namespace)
    }

    /// The namespace of the leases.
    pub fn lease_namespace<'a>(&'a self, io: &'a Io) -> &'a str {
        let given = Some(self.leader_election_namespace.as_str()).filter(|name| !name.is_empty());
        given.unwrap_or_else(|| io.default_namespace())
    }

    /// The times of the leader election.
    pub fn lease_timing(&self) -> Timing {
        Timing {
            duration: self.leader_elect_lease_duration,
            deadline: self.leader_elect_renew_deadline,
            retry: self.leader_elect_retry_period,
        }
    }

    /// The period of re-checks, `None` when turned off.
    pub fn resync(&self) -> Option<Duration> {
        Some(self.sync_period).filter(|period| !period.is_zero())
    }
}

/// A listening address as the peers write it: `:9440`, `localhost:8080`, `0.0.0.0:80`, `[::]:80`, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Address(pub Option<SocketAddr>);

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() || text == "0" {
            return Ok(Self(None));
        }
        let wrong = || format!("\"{text}\" is no address; write :port, host:port or [ipv6]:port");
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port: u16 = port.parse().map_err(|_| wrong())?;
        let address = match host {
            // All addresses of both families, as Go listens.
            "" => SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, port)),
            "localhost" => SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            _ => text.parse().map_err(|_| wrong())?,
        };
        Ok(Self(Some(address)))
    }
}

/// A duration as Go writes it: `90s`, `1m30s`, `1h`, `250ms`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let length = api::duration::parse(text).and_then(|length| Duration::try_from(length).ok());
    length.ok_or_else(|| format!("\"{text}\" is no duration; write e.g. 90s, 1m30s or 250ms"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_in_go() {
        for (text, millis) in [("1m30s", 90_000), ("1.5s", 1500), ("0", 0)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "5", "-1s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn addresses_are_written_as_in_go() {
        let table = [(":9440", "[::]:9440"), ("localhost:8080", "127.0.0.1:8080"), ("[::1]:80", "[::1]:80")];
        for (text, address) in table {
            assert_eq!(text.parse(), Ok(Address(Some(address.parse().unwrap()))), "{text}");
        }
        assert_eq!("".parse(), Ok(Address(None)));
        assert_eq!("0".parse(), Ok(Address(None)));
        assert!("9440".parse::<Address>().is_err());
    }

    #[derive(clap::Parser)]
    struct Program {
        #[command(flatten)]
        common: Common,
    }

    #[test]
    fn flags_of_the_peers_are_understood() {
        use clap::Parser;
        let args = ["m", "--leader-elect", "--leader-elect-lease-duration=20s", "--namespace=a,b", "--sync-period=0s"];
        let Program { common } = Program::try_parse_from(args).unwrap();
        assert!(common.leader_elect);
        assert_eq!(common.lease_timing().duration, Duration::from_secs(20));
        assert_eq!(common.scope(), Scope::Namespaces(["a".to_owned(), "b".to_owned()].into()));
        assert_eq!(common.resync(), None);
        let Program { common } = Program::try_parse_from(["m", "--leader-elect=false"]).unwrap();
        assert!(!common.leader_elect);
    }

    #[tokio::test]
    async fn leases_are_in_the_namespace_that_the_client_is_configured_for_unless_another_is_given() {
        use clap::Parser;
        let nobody = tower::service_fn(async |_: http::Request<kube::client::Body>| {
            Ok::<_, std::convert::Infallible>(http::Response::new(kube::client::Body::empty()))
        });
        let io = Io::new(kube::Client::new(nobody, "metal3-system"));
        let namespace = |flag: &str| {
            let Program { common } = Program::try_parse_from(["m", flag]).unwrap();
            common.lease_namespace(&io).to_owned()
        };
        assert_eq!(namespace("--leader-election-namespace="), "metal3-system");
        assert_eq!(namespace("--leader-election-namespace=other"), "other");
    }
}
