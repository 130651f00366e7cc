//! The choice of addresses alone, without any API: a million of them, in pools with every pattern of holes.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use api::build::ip_pool;
use api::ipam::{AllocationStrategy, IPPool, Range};
use ipam::kinds::{ClaimId, Flavor};
use ipam::space::{Holder, Space};

use super::table::{Table, matrix};

/// How many are chosen.
const COUNT: usize = 1_000_000;
/// How long this may take, in seconds.
const TARGET_SECONDS: f64 = 1.0;
/// Ten times fewer, to see how the cost of one grows.
const FEW: usize = COUNT / 10;

/// A pool, and which of its numbers are taken before.
struct Pattern {
    name: &'static str,
    subnets: &'static [&'static str],
    random: bool,
    taken: fn(u32) -> bool,
}

const PATTERNS: &[Pattern] = &[
    Pattern { name: "an empty /8", subnets: &["10.0.0.0/8"], random: false, taken: |_| false },
    Pattern { name: "every second taken", subnets: &["10.0.0.0/8"], random: false, taken: |n| n % 2 == 0 },
    Pattern { name: "nine of ten taken", subnets: &["10.0.0.0/8"], random: false, taken: |n| n % 10 != 0 },
    Pattern {
        name: "holes of all sizes",
        subnets: &["10.0.0.0/8"],
        random: false,
        taken: |n| n.trailing_zeros() % 2 == 0,
    },
    Pattern { name: "random in a /8", subnets: &["10.0.0.0/8"], random: true, taken: |_| false },
    Pattern { name: "random in a nearly full /12", subnets: &["10.0.0.0/12"], random: true, taken: |_| false },
    Pattern { name: "an IPv6 /64", subnets: &["2001:db8::/64"], random: false, taken: |_| false },
    Pattern { name: "random in an IPv6 /64", subnets: &["2001:db8::/64"], random: true, taken: |_| false },
    Pattern {
        name: "eight ranges of a /15",
        subnets: &[
            "10.0.0.0/15",
            "10.2.0.0/15",
            "10.4.0.0/15",
            "10.6.0.0/15",
            "10.8.0.0/15",
            "10.10.0.0/15",
            "10.12.0.0/15",
            "10.14.0.0/15",
        ],
        random: false,
        taken: |_| false,
    },
];

/// Measures all patterns.
pub(super) fn choice(table: &mut Table) -> Result<()> {
    let heading = format!("{COUNT} addresses chosen, no API");
    let mut rows = vec![
        [heading.as_str(), "taken before", "seconds", "us each", "x cost of one at 100,000"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let mut slowest: f64 = 0.0;
    for pattern in PATTERNS {
        let (holes, few) = once(pattern, FEW)?;
        let (_, all) = once(pattern, COUNT)?;
        slowest = slowest.max(all);
        let ratio = all / COUNT as f64 / (few / FEW as f64);
        let each = all / COUNT as f64 * 1e6;
        rows.push(vec![
            pattern.name.to_owned(),
            holes.to_string(),
            format!("{all:.2}"),
            format!("{each:.2}"),
            format!("{ratio:.2}"),
        ]);
    }
    table.lines(&matrix(&rows));
    let verdict = if slowest <= TARGET_SECONDS { "met" } else { "MISSED" };
    let what = format!("target: {COUNT} addresses chosen, the slowest pattern, within {TARGET_SECONDS:.0} s");
    table.row(&what, format!("{slowest:.2} s, {verdict}"));
    Ok(())
}

/// How many were taken before, and the seconds that it took to choose `count` more.
fn once(pattern: &Pattern, count: usize) -> Result<(usize, f64)> {
    let mut space = Space::new(&pool(pattern).spec, 7);
    let mut holes = 0;
    // Twice as far as the choice goes, so that it meets holes to its end.
    let last = u32::try_from(count * 2)?;
    for number in (0..last).filter(|number| (pattern.taken)(*number)) {
        space.hold(IpAddr::from(Ipv4Addr::from_bits(0x0a00_0000 + number)), Holder::Neighbour);
        holes += 1;
    }
    let claims: Vec<ClaimId> =
        (0..count).map(|number| ClaimId { flavor: Flavor::Metal3, name: format!("claim-{number}") }).collect();
    let start = Instant::now();
    for claim in &claims {
        space.choose(claim, None, None).ok().context("the pool is too small")?;
    }
    let took = start.elapsed().as_secs_f64();
    ensure!(space.usage().used == count as u128, "an address was given out twice");
    Ok((holes, took))
}

fn pool(pattern: &Pattern) -> IPPool {
    let mut pool = ip_pool("default", "pool");
    pool.spec.allocation_strategy = pattern.random.then_some(AllocationStrategy::Random);
    let range = |subnet: &&str| Range { subnet: Some((*subnet).to_owned()), ..Range::default() };
    pool.spec.pools = pattern.subnets.iter().map(range).collect();
    pool
}
