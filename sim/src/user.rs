//! [`User`]: what people and their tools do to the API server. Never disturbed.

use api::ipam::capi::{IPAddressClaim, PoolRef};
use api::ipam::{IPClaim, IPPool};
use kit::client::Io;
use kit::diff;
use kit::key::{Key, Target};
use kit::pass::{Fault, Write};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::world::World;

/// The namespace of all scenarios.
pub const NAMESPACE: &str = "default";
/// The pool of most scenarios.
pub const POOL: &str = "p";

/// What a user's step answers.
pub type Played = Result<(), Fault>;

/// A user. Cheap to clone.
#[derive(Debug, Clone)]
pub struct User {
    world: World,
    io: Io,
}

/// The key of a name in the scenarios' namespace.
pub fn key(name: &str) -> Key {
    Key::new(NAMESPACE, name)
}

impl User {
    /// In a world.
    pub fn new(world: &World) -> Self {
        Self { io: Io::new(world.server.client("user")), world: world.clone() }
    }

    /// Waits until nothing happens any more.
    pub async fn quiet(&self) {
        self.world.quiet().await;
    }

    /// Creates an object from its parts.
    pub async fn make<K: kit::Kind>(&self, name: &str, metadata: Value, spec: Value) -> Played {
        let mut body = json!({ "metadata": metadata, "spec": spec });
        body["metadata"]["name"] = json!(name);
        self.io.apply(&Write::Create { target: Target::new::<K>(key(name)), body }).await.map(drop)
    }

    /// Creates the pool with a sequential range of so many addresses from 10.0.0.1 on.
    pub async fn pool(&self, size: u8) -> Played {
        self.pool_of(json!({ "namePrefix": "net", "pools": [range(1, size)] })).await
    }

    /// Creates the pool.
    pub async fn pool_of(&self, spec: Value) -> Played {
        self.make::<IPPool>(POOL, json!({}), spec).await
    }

    /// Changes the pool's spec by a merge patch.
    pub async fn edit_pool(&self, spec: Value) -> Played {
        self.patch::<IPPool>(POOL, json!({ "spec": spec })).await
    }

    /// A merge patch.
    pub async fn patch<K: kit::Kind>(&self, name: &str, body: Value) -> Played {
        self.io.apply(&Write::Patch { target: Target::new::<K>(key(name)), body }).await.map(drop)
    }

    /// Creates IPClaims.
    pub async fn claims(&self, names: &[&str]) -> Played {
        for name in names {
            self.claim_with(name, json!({})).await?;
        }
        Ok(())
    }

    /// Creates an IPClaim with metadata.
    pub async fn claim_with(&self, name: &str, metadata: Value) -> Played {
        self.make::<IPClaim>(name, metadata, json!({ "pool": { "name": POOL } })).await
    }

    /// Creates IPAddressClaims of Cluster API.
    pub async fn capi_claims(&self, names: &[&str]) -> Played {
        for name in names {
            self.make::<IPAddressClaim>(name, json!({}), json!({ "poolRef": PoolRef::ip_pool(POOL) })).await?;
        }
        Ok(())
    }

    /// Asks for an object's deletion.
    pub async fn delete<K: kit::Kind>(&self, name: &str) -> Played {
        self.io.apply(&Write::Delete { target: Target::new::<K>(key(name)) }).await.map(drop)
    }

    /// Asks for the deletion of IPClaims.
    pub async fn unclaim(&self, names: &[&str]) -> Played {
        for name in names {
            self.delete::<IPClaim>(name).await?;
        }
        Ok(())
    }

    /// Creates a complete object.
    pub async fn create<K: kit::Kind + DeserializeOwned>(&self, object: &K) -> Played {
        self.io.apply(&diff::create(object)).await.map(drop)
    }
}

/// The range of addresses 10.0.0.`first` to 10.0.0.`last`.
pub fn range(first: u8, last: u8) -> Value {
    json!({ "start": format!("10.0.0.{first}"), "end": format!("10.0.0.{last}") })
}
