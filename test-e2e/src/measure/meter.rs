//! Figures of processes: from the kernel, and from their own metrics.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use kube::Client;

use crate::manager::Manager;

/// The kernel counts in hundredths of a second, whatever its own clock is.
const TICKS: f64 = 100.0;

/// Processor time of a process in seconds, its threads included.
pub(super) fn processor(pid: i32) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, rest) = text.rsplit_once(')').context("an odd /proc entry")?;
    let ticks: Vec<f64> = rest.split_whitespace().skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    Ok(ticks.iter().sum::<f64>() / TICKS)
}

/// Processor time of this program in seconds.
pub(super) fn own_processor() -> Result<f64> {
    processor(i32::try_from(std::process::id())?)
}

/// Processor time of the whole machine in seconds, of all its cores.
pub(super) fn busy() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/stat")?;
    let line = text.lines().next().context("an empty /proc/stat")?;
    let ticks: Vec<f64> = line.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq
    let [user, nice, system, _, _, irq, softirq, ..] = ticks[..] else { anyhow::bail!("an odd /proc/stat") };
    Ok((user + nice + system + irq + softirq) / TICKS)
}

/// Resident memory of a process in MiB.
pub(super) fn memory(pid: i32) -> Result<f64> {
    kib(pid, "VmRSS:").map(|kib| kib / 1024.0)
}

/// The most memory that a process had since [`forget_peak`], in MiB.
pub(super) fn peak(pid: i32) -> Result<f64> {
    kib(pid, "VmHWM:").map(|kib| kib / 1024.0)
}

/// Counts the most memory from now on.
pub(super) fn forget_peak(pid: i32) -> Result<()> {
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5").context("resetting the peak of the memory")
}

fn kib(pid: i32, field: &str) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)).context("no such line in /proc")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
}

/// The metrics of a process at one moment, in the text form of Prometheus.
#[derive(Debug, Clone)]
pub(super) struct Metrics(String);

impl Metrics {
    /// Those of our manager.
    pub(super) async fn of(manager: &Manager) -> Result<Self> {
        let answer =
            reqwest::get(format!("http://{}/metrics", manager.diagnostics)).await.context("asking for metrics")?;
        Ok(Self(answer.text().await?))
    }

    /// Those of the API server.
    pub(super) async fn of_server(client: &Client) -> Result<Self> {
        let request = axum::http::Request::get("/metrics").body(Vec::new())?;
        Ok(Self(client.request_text(request).await?))
    }

    /// The sum of a family over all series that have these labels.
    pub(super) fn sum(&self, family: &str, labels: &[(&str, &str)]) -> f64 {
        self.series(family)
            .filter(|(has, _)| labels.iter().all(|(key, value)| label(has, key) == Some(*value)))
            .map(|(_, v)| v)
            .sum()
    }

    /// The sums of a family by the value of one label.
    pub(super) fn by(&self, family: &str, key: &str) -> BTreeMap<String, f64> {
        let mut sums = BTreeMap::new();
        for (labels, value) in self.series(family) {
            *sums.entry(label(labels, key).unwrap_or_default().to_owned()).or_default() += value;
        }
        sums
    }

    /// Labels and value of each series of a family.
    fn series<'a>(&'a self, family: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
        self.0.lines().filter_map(move |line| {
            let rest = line.strip_prefix(family)?;
            let (labels, value) = rest.rsplit_once(' ')?;
            (labels.is_empty() || labels.starts_with('{')).then_some((labels, value.parse().ok()?))
        })
    }
}

fn label<'a>(labels: &'a str, key: &str) -> Option<&'a str> {
    let start = labels.find(&format!("{key}=\"")).filter(|at| labels[..*at].ends_with(['{', ',']))? + key.len() + 2;
    labels[start..].split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_by_labels() {
        let metrics = Metrics(
            "# TYPE a counter\na{verb=\"GET\",sub=\"\"} 1\na{verb=\"GET\",sub=\"x\"} 2\na{verb=\"PUT\",sub=\"x\"} 4\na_b 8\na 16\n"
                .to_owned(),
        );
        assert_eq!(metrics.sum("a", &[("verb", "GET")]).to_bits(), 3.0_f64.to_bits());
        assert_eq!(metrics.sum("a", &[("verb", "GET"), ("sub", "")]).to_bits(), 1.0_f64.to_bits());
        assert_eq!(metrics.by("a", "sub").get("x").copied().map(f64::to_bits), Some(6.0_f64.to_bits()));
        assert_eq!(metrics.sum("a_b", &[]).to_bits(), 8.0_f64.to_bits());
    }
}
