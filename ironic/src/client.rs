//! The requests. One method is one request, except that lists follow their pages.

use std::sync::Arc;

use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::config::Config;
use crate::error::{Error, ErrorKind};
use crate::firmware::{BiosSetting, FirmwareComponent};
use crate::http::{Ask, Transport};
use crate::inventory::Inventory;
use crate::media::MediaSlot;
use crate::new_node::NewNode;
use crate::node::{FIELDS, Node, Validation};
use crate::patch::Patch;
use crate::port::{NewPort, Port, PortFilter, PortGroup};
use crate::power::PowerTarget;
use crate::provision::ProvisionChange;
use crate::service::{Conductor, Driver};
use crate::version::{Feature, Versions};

/// Client of one Ironic. Cheap to clone; clones share connections and the negotiated version.
#[derive(Debug, Clone)]
pub struct Client {
    transport: Arc<Transport>,
}

impl Client {
    /// A client. Nothing is sent yet; a wrong endpoint is found here, wrong files at the first request.
    pub fn new(config: Config) -> Result<Self, Error> {
        Ok(Self { transport: Arc::new(Transport::new(config)?) })
    }

    /// The base URL in use, ending in `/v1/`.
    pub fn endpoint(&self) -> &str {
        self.transport.endpoint()
    }

    /// The server's API versions; asked once, and again after an outage.
    pub async fn versions(&self) -> Result<Versions, Error> {
        self.transport.versions().await
    }

    /// A node by id or name, with the [`FIELDS`]; `None` when there is none.
    pub async fn node(&self, node: &str) -> Result<Option<Node>, Error> {
        let ask = Ask::get(&["nodes", node]).query("fields", self.node_fields().await?);
        optional(self.transport.json(&ask).await)
    }

    /// All nodes with the [`FIELDS`].
    pub async fn nodes(&self) -> Result<Vec<Node>, Error> {
        let ask = Ask::get(&["nodes"]).query("fields", self.node_fields().await?);
        self.pages(ask, "nodes").await
    }

    /// Creates a node. [`ErrorKind::Conflict`] when the name is taken.
    pub async fn create_node(&self, node: &NewNode) -> Result<Node, Error> {
        let ask = Ask::new(Method::POST, &["nodes"]).body(to_json("POST /v1/nodes", node)?);
        self.transport.json(&ask).await
    }

    /// Changes a node; returns it as it is then.
    pub async fn patch_node(&self, node: &str, patch: &Patch) -> Result<Node, Error> {
        let ask = Ask::new(Method::PATCH, &["nodes", node]);
        let body = to_json(&ask.name(), patch)?;
        self.transport.json(&ask.body(body)).await
    }

    /// Deletes a node. [`ErrorKind::NotFound`] when there is none.
    pub async fn delete_node(&self, node: &str) -> Result<(), Error> {
        self.done(Ask::new(Method::DELETE, &["nodes", node])).await
    }

    /// Whether the node's interfaces have what they need. Slow: the conductor may read image checksums.
    pub async fn validate_node(&self, node: &str) -> Result<Validation, Error> {
        self.transport.json(&Ask::get(&["nodes", node, "validate"])).await
    }

    /// Puts a node into maintenance.
    pub async fn set_maintenance(&self, node: &str, reason: &str) -> Result<(), Error> {
        self.done(Ask::new(Method::PUT, &["nodes", node, "maintenance"]).body(json!({"reason": reason}))).await
    }

    /// Takes a node out of maintenance; this also clears its fault.
    pub async fn clear_maintenance(&self, node: &str) -> Result<(), Error> {
        self.done(Ask::new(Method::DELETE, &["nodes", node, "maintenance"])).await
    }

    /// Asks for a move in the node's life. Accepted means started, not finished.
    pub async fn set_provision_state(&self, node: &str, change: &ProvisionChange) -> Result<(), Error> {
        let ask = Ask::new(Method::PUT, &["nodes", node, "states", "provision"]);
        let body = to_json(&ask.name(), change)?;
        self.done(ask.body(body)).await
    }

    /// Asks for a change of power. `timeout` in seconds bounds soft requests.
    pub async fn set_power(&self, node: &str, target: PowerTarget, timeout: Option<u32>) -> Result<(), Error> {
        let mut body = json!({"target": target.as_str()});
        if let (Some(timeout), Some(body)) = (timeout, body.as_object_mut()) {
            body.insert("timeout".to_owned(), timeout.into());
        }
        self.done(Ask::new(Method::PUT, &["nodes", node, "states", "power"]).body(body)).await
    }

    /// Stores the RAID that `create_configuration` shall build: `{"logical_disks": [..]}`.
    pub async fn set_raid_target(&self, node: &str, target: &Value) -> Result<(), Error> {
        self.done(Ask::new(Method::PUT, &["nodes", node, "states", "raid"]).body(target.clone())).await
    }

    /// Sets the boot mode, `uefi` or `bios`, through the BMC.
    pub async fn set_boot_mode(&self, node: &str, mode: &str) -> Result<(), Error> {
        self.done(Ask::new(Method::PUT, &["nodes", node, "states", "boot_mode"]).body(json!({"target": mode}))).await
    }

    /// Sets the boot device (`disk`, `pxe`, `cdrom`, ...) through the BMC.
    pub async fn set_boot_device(&self, node: &str, device: &str, persistent: bool) -> Result<(), Error> {
        let body = json!({"boot_device": device, "persistent": persistent});
        self.done(Ask::new(Method::PUT, &["nodes", node, "management", "boot_device"]).body(body)).await
    }

    /// The boot device as the BMC tells it now: the read that proves that the BMC can be used. Slow, and
    /// [`ErrorKind::Server`] when the BMC refuses or does not answer.
    pub async fn boot_device(&self, node: &str) -> Result<Value, Error> {
        self.transport.json(&Ask::get(&["nodes", node, "management", "boot_device"])).await
    }

    /// What inspection found; `None` before the first inspection.
    pub async fn inventory(&self, node: &str) -> Result<Option<Inventory>, Error> {
        optional(self.transport.json(&Ask::get(&["nodes", node, "inventory"])).await)
    }

    /// BIOS settings with their registry entries.
    pub async fn bios(&self, node: &str) -> Result<Vec<BiosSetting>, Error> {
        self.member(&Ask::get(&["nodes", node, "bios"]).query("detail", "true"), "bios").await
    }

    /// Firmware components.
    pub async fn firmware(&self, node: &str) -> Result<Vec<FirmwareComponent>, Error> {
        self.member(&Ask::get(&["nodes", node, "firmware"]), "firmware").await
    }

    /// Traits of a node.
    pub async fn traits(&self, node: &str) -> Result<Vec<String>, Error> {
        self.member(&Ask::get(&["nodes", node, "traits"]), "traits").await
    }

    /// Replaces the traits of a node.
    pub async fn set_traits(&self, node: &str, traits: &[String]) -> Result<(), Error> {
        self.done(Ask::new(Method::PUT, &["nodes", node, "traits"]).body(json!({"traits": traits}))).await
    }

    /// Virtual media devices. Needs [`Feature::MediaRead`].
    pub async fn media(&self, node: &str) -> Result<Vec<MediaSlot>, Error> {
        self.versions().await?.require(Feature::MediaRead)?;
        let ask = Ask::get(&["nodes", node, "vmedia"]);
        let answer: Value = self.transport.json(&ask).await?;
        let list = answer.get("vmedia").cloned().unwrap_or(answer);
        from_json(&ask.name(), list)
    }

    /// Inserts an image as a CD.
    pub async fn attach_media(&self, node: &str, image_url: &str) -> Result<(), Error> {
        let body = json!({"device_type": "cdrom", "image_url": image_url});
        self.done(Ask::new(Method::POST, &["nodes", node, "vmedia"]).body(body)).await
    }

    /// Ejects the CD.
    pub async fn detach_media(&self, node: &str) -> Result<(), Error> {
        self.done(Ask::new(Method::DELETE, &["nodes", node, "vmedia"]).query("device_types", "cdrom")).await
    }

    /// Subscribes to a BMC's events: `{Destination, Context, HttpHeaders: [{name: value}]}`. Returns the new id.
    pub async fn create_subscription(&self, node: &str, subscription: Value) -> Result<String, Error> {
        let ask = Ask::new(Method::POST, &["nodes", node, "vendor_passthru"]).query("method", "create_subscription");
        let ask = ask.body(subscription);
        let answer: Value = self.transport.json(&ask).await?;
        match answer.get("Id") {
            Some(Value::String(id)) => Ok(id.clone()),
            Some(Value::Number(id)) => Ok(id.to_string()),
            _ => Err(Error::local(ErrorKind::Malformed, ask.name(), "the answer has no Id")),
        }
    }

    /// Removes a subscription.
    pub async fn delete_subscription(&self, node: &str, id: &str) -> Result<(), Error> {
        let ask = Ask::new(Method::DELETE, &["nodes", node, "vendor_passthru"]).query("method", "delete_subscription");
        self.done(ask.body(json!({"id": id}))).await
    }

    /// Ports of a node, or the port of an address.
    pub async fn ports(&self, filter: &PortFilter) -> Result<Vec<Port>, Error> {
        let ask = Ask::get(&["ports"]).query("fields", "uuid,node_uuid,address,pxe_enabled");
        let ask = match filter {
            PortFilter::Node(node) => ask.query("node", node),
            PortFilter::Address(address) => ask.query("address", address.to_ascii_lowercase()),
        };
        self.pages(ask, "ports").await
    }

    /// Creates a port. [`ErrorKind::Conflict`] when its address exists.
    pub async fn create_port(&self, port: &NewPort) -> Result<Port, Error> {
        let ask = Ask::new(Method::POST, &["ports"]).body(to_json("POST /v1/ports", port)?);
        self.transport.json(&ask).await
    }

    /// Changes a port; returns it as it is then.
    pub async fn patch_port(&self, port: &str, patch: &Patch) -> Result<Port, Error> {
        let ask = Ask::new(Method::PATCH, &["ports", port]);
        let body = to_json(&ask.name(), patch)?;
        self.transport.json(&ask.body(body)).await
    }

    /// Deletes a port. [`ErrorKind::NotFound`] when there is none.
    pub async fn delete_port(&self, port: &str) -> Result<(), Error> {
        self.done(Ask::new(Method::DELETE, &["ports", port])).await
    }

    /// Port groups of a node.
    pub async fn port_groups(&self, node: &str) -> Result<Vec<PortGroup>, Error> {
        self.pages(Ask::get(&["portgroups"]).query("node", node).query("detail", "true"), "portgroups").await
    }

    /// Hardware types that some conductor offers; empty while no conductor runs.
    pub async fn drivers(&self) -> Result<Vec<Driver>, Error> {
        self.member(&Ask::get(&["drivers"]), "drivers").await
    }

    /// Conductors.
    pub async fn conductors(&self) -> Result<Vec<Conductor>, Error> {
        self.pages(Ask::get(&["conductors"]), "conductors").await
    }

    async fn node_fields(&self) -> Result<String, Error> {
        let versions = self.versions().await?;
        let mut fields = FIELDS.to_vec();
        if versions.has(Feature::DisablePowerOff) {
            fields.push("disable_power_off");
        }
        if versions.has(Feature::NodeHealth) {
            fields.push("health");
        }
        Ok(fields.join(","))
    }

    async fn done(&self, ask: Ask) -> Result<(), Error> {
        self.transport.send(&ask).await.map(|_| ())
    }

    /// The list under one key of an answer.
    async fn member<T: DeserializeOwned>(&self, ask: &Ask, key: &str) -> Result<Vec<T>, Error> {
        let mut answer: Value = self.transport.json(ask).await?;
        let list = answer
            .get_mut(key)
            .map(Value::take)
            .ok_or_else(|| Error::local(ErrorKind::Malformed, ask.name(), format!("the answer has no {key:?}")))?;
        from_json(&ask.name(), list)
    }

    /// All pages of a list. Only the marker is taken from a `next` link: its host may be one we cannot reach.
    async fn pages<T: DeserializeOwned>(&self, mut ask: Ask, key: &str) -> Result<Vec<T>, Error> {
        let mut all = Vec::new();
        let mut last_marker = None;
        loop {
            let mut answer: Value = self.transport.json(&ask).await?;
            let next = answer.get("next").and_then(Value::as_str).and_then(marker);
            let list = answer
                .get_mut(key)
                .map(Value::take)
                .ok_or_else(|| Error::local(ErrorKind::Malformed, ask.name(), format!("the answer has no {key:?}")))?;
            all.extend(from_json::<Vec<T>>(&ask.name(), list)?);
            let Some(marker) = next else { return Ok(all) };
            if last_marker.as_ref() == Some(&marker) {
                let text = "the server returns the same page again";
                return Err(Error::local(ErrorKind::Malformed, ask.name(), text));
            }
            ask = ask.query("marker", marker.clone());
            last_marker = Some(marker);
        }
    }
}

fn marker(link: &str) -> Option<String> {
    let url = url::Url::parse(link).ok()?;
    url.query_pairs().find(|(name, _)| name == "marker").map(|(_, value)| value.into_owned())
}

fn optional<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn to_json(request: &str, body: &impl serde::Serialize) -> Result<Value, Error> {
    serde_json::to_value(body).map_err(|error| Error::local(ErrorKind::Malformed, request, error.to_string()))
}

fn from_json<T: DeserializeOwned>(request: &str, value: Value) -> Result<T, Error> {
    serde_json::from_value(value).map_err(|error| {
        Error::local(ErrorKind::Malformed, request, format!("the answer is not the expected JSON: {error}"))
    })
}
