//! The stories of users that are disturbed: short, and each with a point of its own.

use std::time::Duration;

use api::capi::Cluster;
use api::ipam::capi::{self, IPAddressClaim};
use api::ipam::{IPAddress, IPPool};
use api::names::{annotation, finalizer, label};
use futures::future::BoxFuture;
use serde_json::json;

use crate::user::{POOL, Played, User, range};

/// A story.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is about.
    pub about: &'static str,
    /// Why claims may end with other addresses than in the undisturbed run; empty when they may not.
    pub any_address: &'static str,
    /// The story.
    pub play: fn(User) -> BoxFuture<'static, Played>,
}

macro_rules! scenario {
    ($play:ident, $about:expr, $any:expr) => {
        Scenario { name: stringify!($play), about: $about, any_address: $any, play: |user| Box::pin($play(user)) }
    };
}

/// A released address is free for whoever is looked at next, and a disturbance changes who that is.
const RACE: &str = "a release and a new claim race for the lowest free address";
/// Claims are served by age and name, but a fault at one of them lets the others go first.
const ORDER: &str = "a claim whose write failed is served after the others";

/// Between two steps of a user in a hurry; shorter than a late write is under way.
const MOMENT: Duration = Duration::from_secs(7);

/// All stories.
pub const ALL: &[Scenario] = &[
    scenario!(create, "claims of both kinds are served", ORDER),
    scenario!(release, "claims of both kinds are deleted", ORDER),
    scenario!(pool_edit, "a range is added, another one is removed", ORDER),
    scenario!(pool_delete, "a pool is deleted while claims use it", ORDER),
    scenario!(exhausted_release, "claims wait for an address that is released", ORDER),
    scenario!(exhausted_growth, "claims wait for an address that is added", ORDER),
    scenario!(fixed, "pre-allocated and requested addresses", ""),
    scenario!(flash, "claims are made and deleted at once", RACE),
    scenario!(again, "a claim is deleted and made again under its name", RACE),
    scenario!(mixed, "claims of both kinds come and go every few seconds", RACE),
    scenario!(paused, "a paused Cluster stops its pool and claims", ORDER),
    scenario!(early, "claims are there before their pool", ORDER),
    scenario!(by_hand, "an address object is deleted by hand", ""),
    scenario!(restore, "a backup brings addresses first, claims and pool later", ORDER),
    scenario!(spelling, "addresses written in other ways than ours", ORDER),
    scenario!(taken_name, "objects of others have names that ours would have; one after the other goes", ORDER),
    scenario!(next_door, "two pools with one name prefix and the same addresses", ORDER),
];

/// The story of this name.
pub fn find(name: &str) -> Option<&'static Scenario> {
    ALL.iter().find(|scenario| scenario.name == name)
}

async fn create(user: User) -> Played {
    user.pool_of(json!({ "namePrefix": "net", "prefix": 24, "gateway": "10.0.0.1", "pools": [range(1, 9)] })).await?;
    user.claims(&["a", "b"]).await?;
    user.capi_claims(&["a", "x"]).await
}

async fn release(user: User) -> Played {
    user.pool(5).await?;
    user.claims(&["a", "b"]).await?;
    user.capi_claims(&["x", "y"]).await?;
    user.quiet().await;
    user.unclaim(&["a"]).await?;
    user.delete::<IPAddressClaim>("x").await
}

async fn pool_edit(user: User) -> Played {
    user.pool(2).await?;
    user.claims(&["a", "b", "c"]).await?;
    user.quiet().await;
    user.edit_pool(json!({ "pools": [range(1, 2), range(11, 13)] })).await?;
    user.quiet().await;
    user.edit_pool(json!({ "pools": [range(1, 2), range(11, 11)] })).await?;
    user.quiet().await;
    user.claims(&["late"]).await
}

async fn pool_delete(user: User) -> Played {
    user.pool(4).await?;
    user.claims(&["a", "b"]).await?;
    user.capi_claims(&["x"]).await?;
    user.quiet().await;
    user.delete::<IPPool>(POOL).await?;
    user.claims(&["refused"]).await?;
    user.quiet().await;
    user.unclaim(&["a", "b", "refused"]).await?;
    user.delete::<IPAddressClaim>("x").await
}

async fn exhausted_release(user: User) -> Played {
    user.pool(2).await?;
    user.claims(&["a", "b"]).await?;
    user.quiet().await;
    user.claims(&["c"]).await?;
    user.quiet().await;
    user.unclaim(&["a"]).await
}

async fn exhausted_growth(user: User) -> Played {
    user.pool(1).await?;
    user.claims(&["a"]).await?;
    user.quiet().await;
    user.claims(&["b"]).await?;
    user.capi_claims(&["x"]).await?;
    user.quiet().await;
    user.edit_pool(json!({ "pools": [range(1, 4)] })).await
}

async fn fixed(user: User) -> Played {
    user.pool_of(json!({ "namePrefix": "net", "pools": [range(1, 6)], "preAllocations": { "f": "10.0.0.3" } })).await?;
    let asks = |ip: &str| json!({ "annotations": { (annotation::IP_ADDRESS): ip } });
    user.claims(&["f"]).await?;
    user.claim_with("wants-5", asks("10.0.0.5")).await?;
    user.quiet().await;
    user.claim_with("also-5", asks("10.0.0.5")).await?;
    user.claim_with("wants-f", asks("10.0.0.3")).await?;
    user.claim_with("outside", asks("10.9.9.9")).await?;
    user.quiet().await;
    user.unclaim(&["wants-5"]).await
}

async fn flash(user: User) -> Played {
    user.pool(3).await?;
    user.quiet().await;
    user.claims(&["a", "kept"]).await?;
    user.unclaim(&["a"]).await?;
    user.capi_claims(&["x"]).await?;
    user.delete::<IPAddressClaim>("x").await?;
    user.claims(&["b"]).await?;
    tokio::task::yield_now().await;
    user.unclaim(&["b"]).await
}

async fn again(user: User) -> Played {
    user.pool(3).await?;
    user.claims(&["a", "kept"]).await?;
    user.quiet().await;
    user.unclaim(&["a"]).await?;
    user.claims(&["b"]).await?;
    user.quiet().await;
    user.claims(&["a"]).await
}

/// Here users do not wait for quiet: a write that is late arrives in the middle of later steps.
async fn mixed(user: User) -> Played {
    let moment = || tokio::time::sleep(MOMENT);
    user.pool(6).await?;
    user.claims(&["a"]).await?;
    user.capi_claims(&["x"]).await?;
    moment().await;
    user.capi_claims(&["y"]).await?;
    moment().await;
    user.unclaim(&["a"]).await?;
    user.claims(&["b"]).await?;
    moment().await;
    user.delete::<IPAddressClaim>("x").await?;
    user.claims(&["c"]).await?;
    user.capi_claims(&["z"]).await?;
    moment().await;
    // Who sees both at once serves the second one first.
    user.capi_claims(&["d"]).await?;
    user.claims(&["n"]).await
}

async fn paused(user: User) -> Played {
    let pause = |paused: bool| json!({ "spec": { "paused": paused } });
    user.make::<Cluster>("c", json!({}), json!({ "paused": true })).await?;
    user.pool_of(json!({ "namePrefix": "net", "clusterName": "c", "pools": [range(1, 3)] })).await?;
    user.claim_with("a", json!({ "labels": { (label::CLUSTER_NAME): "c" } })).await?;
    user.claims(&["b"]).await?;
    user.quiet().await;
    user.patch::<Cluster>("c", pause(false)).await?;
    user.quiet().await;
    user.patch::<Cluster>("c", pause(true)).await?;
    user.quiet().await;
    user.unclaim(&["a"]).await?;
    user.quiet().await;
    user.patch::<Cluster>("c", pause(false)).await
}

async fn early(user: User) -> Played {
    user.claims(&["a", "gone"]).await?;
    user.capi_claims(&["x"]).await?;
    user.quiet().await;
    user.unclaim(&["gone"]).await?;
    user.pool(3).await
}

async fn by_hand(user: User) -> Played {
    user.pool(3).await?;
    user.claims(&["a"]).await?;
    user.quiet().await;
    // The finalizer makes the deletion wait; an impatient user takes it away, too.
    user.patch::<IPAddress>("net-10-0-0-1", json!({ "metadata": { "finalizers": null } })).await?;
    user.delete::<IPAddress>("net-10-0-0-1").await
}

async fn restore(user: User) -> Played {
    for (claim, name, ip) in [("a", "net-10-0-0-2", "10.0.0.2"), ("b", "net-10-0-0-1", "10.0.0.1")] {
        // Tools that restore leave owners out, because their uids are those of another cluster.
        let metadata = json!({ "finalizers": [finalizer::IP_ADDRESS] });
        let spec = json!({ "address": ip, "claim": { "name": claim }, "pool": { "name": POOL }, "prefix": 0 });
        user.make::<IPAddress>(name, metadata, spec).await?;
    }
    user.claims(&["a", "b", "new"]).await?;
    user.pool(3).await?;
    user.quiet().await;
    user.unclaim(&["a"]).await
}

async fn spelling(user: User) -> Played {
    let six = json!({ "start": "2001:DB8::0001", "end": "2001:0db8:0::4" });
    user.pool_of(json!({ "namePrefix": "six", "pools": [six], "preAllocations": { "f": "2001:0DB8::02" } })).await?;
    // As another manager wrote it: same address, other text, other name.
    let spec =
        json!({ "address": "2001:DB8:0::1", "claim": { "name": "old" }, "pool": { "name": POOL }, "prefix": 64 });
    user.make::<IPAddress>("six-2001-db8-0--1", json!({}), spec).await?;
    user.quiet().await;
    user.claims(&["old"]).await?;
    user.quiet().await;
    user.claims(&["f", "new"]).await?;
    let spec = json!({ "poolRef": capi::PoolRef::ip_pool(POOL) });
    let asks = json!({ "annotations": { (annotation::IP_ADDRESS): "2001:db8::0:4" } });
    user.make::<IPAddressClaim>("asks", asks, spec).await
}

async fn taken_name(user: User) -> Played {
    // Left over of a pool that is gone, without the finalizers by which it would be tidied up.
    for (name, ip) in [("net-10-0-0-1", "10.0.0.1"), ("net-10-0-0-2", "10.9.9.9")] {
        let spec = json!({ "address": ip, "claim": { "name": "ghost" }, "pool": { "name": "old" }, "prefix": 0 });
        user.make::<IPAddress>(name, json!({}), spec).await?;
    }
    user.pool(5).await?;
    user.claims(&["a"]).await?;
    user.capi_claims(&["x"]).await?;
    user.quiet().await;
    // One that comes while the pool is in use.
    let spec = json!({ "address": "10.0.0.5", "claimRef": { "name": "ghost" }, "poolRef": capi::PoolRef::ip_pool("old"),
        "prefix": 24 });
    user.make::<capi::IPAddress>("net-10-0-0-5", json!({}), spec).await?;
    user.claim_with("wants-1", json!({ "annotations": { (annotation::IP_ADDRESS): "10.0.0.1" } })).await?;
    user.capi_claims(&["late"]).await?;
    user.quiet().await;
    user.delete::<IPAddress>("net-10-0-0-1").await?;
    user.quiet().await;
    user.delete::<IPAddress>("net-10-0-0-2").await
}

async fn next_door(user: User) -> Played {
    let of_q = || json!({ "poolRef": capi::PoolRef::ip_pool("q") });
    user.pool(2).await?;
    user.make::<IPPool>("q", json!({}), json!({ "namePrefix": "net", "pools": [range(1, 2)] })).await?;
    user.claims(&["a"]).await?;
    user.make::<IPAddressClaim>("x", json!({}), of_q()).await?;
    user.quiet().await;
    user.make::<IPAddressClaim>("late", json!({}), of_q()).await?;
    user.quiet().await;
    user.unclaim(&["a"]).await
}
