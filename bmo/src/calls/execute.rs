//! Performs a [`HostCall`].

use ironic::{
    Client, Error, ErrorKind, NewNode, NewPort, Node, Poll, PortFilter, PowerTarget, ProvisionChange, ProvisionState,
};
use kit::pass::{Class, Fault};
use serde_json::{Value, json};

use tokio::time::Instant;

use super::fault::{fault, reason};
use super::{Answer, HostCall, Subscription, WantedPort};

/// How long the operating system has for a soft power off, in seconds.
const SOFT_POWER_OFF_SECONDS: u32 = 180;

/// Performs a call. Afterwards the picture holds the node as it is now, also when the call was refused.
pub async fn execute(poll: &Poll, call: &HostCall) -> Result<Answer, Fault> {
    let answer = perform(poll, call).await;
    if let Err(Failed::Error(error)) = &answer
        && !error.kind.is_outage()
    {
        // The refusal usually means that the picture is old. If this read fails too, the poller will find out.
        let _ = poll.refresh(call.node()).await;
    }
    answer.map_err(|failed| match failed {
        Failed::Error(error) => fault(call.what(), &error),
        Failed::Fault(fault) => fault,
    })
}

/// Why a call failed: Ironic's error, or a fault found here.
enum Failed {
    Error(Error),
    Fault(Fault),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

async fn perform(poll: &Poll, call: &HostCall) -> Result<Answer, Failed> {
    let client = poll.client();
    match call {
        HostCall::CreateNode { node, boot_mac } => create(poll, node, boot_mac.as_deref()).await,
        HostCall::UpdateNode { node, patch } => {
            if patch.is_empty() {
                return refreshed(poll, node).await;
            }
            // A list sent and answered while the write was under way may show the node as it was before: the answer
            // of a write counts from its arrival.
            let patched = client.patch_node(node, patch).await?;
            Ok(known(poll, patched, Instant::now()))
        }
        HostCall::EnsurePorts { node, ports } => {
            ensure_ports(client, node, ports).await?;
            Ok(Answer::Done)
        }
        HostCall::Provision { node, seen, change } => {
            guard(client, node, seen).await?;
            move_node(poll, node, change).await
        }
        HostCall::Clean { node, seen, raid, steps } => {
            guard(client, node, seen).await?;
            if let Some(raid) = raid {
                client.set_raid_target(node, raid).await?;
            }
            move_node(poll, node, &ProvisionChange::clean(steps.clone())).await
        }
        HostCall::Deploy { node, seen, patch, configdrive, steps } => {
            guard(client, node, seen).await?;
            if !patch.is_empty() {
                client.patch_node(node, patch).await?;
            }
            let failures = client.validate_node(node).await?.failures(&["boot", "deploy"]);
            if !failures.is_empty() {
                let remedy = "correct spec.image, or the ramdisk of this controller where it names that";
                let text = format!("host validation error: {}; {remedy}", failures.join("; "));
                return Err(Failed::Fault(Fault::new(Class::Peer, reason::VALIDATION, text)));
            }
            let configdrive = configdrive.as_deref().cloned();
            move_node(poll, node, &ProvisionChange::deploy(configdrive, steps.clone())).await
        }
        HostCall::SetPower { node, target } => set_power(poll, node, *target).await,
        HostCall::VerifyAccess { node } => match client.boot_device(node).await {
            Ok(_) => Ok(Answer::Done),
            Err(error) => Err(access(error)),
        },
        HostCall::SetMaintenance { node, reason } => {
            client.set_maintenance(node, reason).await?;
            refreshed(poll, node).await
        }
        HostCall::ClearMaintenance { node } => {
            client.clear_maintenance(node).await?;
            refreshed(poll, node).await
        }
        HostCall::DeleteNode { node } => {
            unless_missing(client.delete_node(node).await)?;
            refreshed(poll, node).await
        }
        HostCall::ReadInventory { node } => Ok(Answer::Inventory(client.inventory(node).await?.map(Box::new))),
        HostCall::ReadBios { node } => Ok(Answer::Bios(client.bios(node).await?)),
        HostCall::ReadFirmware { node } => Ok(Answer::Firmware(client.firmware(node).await?)),
        HostCall::ReadMedia { node } => Ok(Answer::Media(client.media(node).await?)),
        HostCall::AttachMedia { node, url } => {
            client.attach_media(node, url).await?;
            Ok(Answer::Done)
        }
        HostCall::DetachMedia { node } => {
            client.detach_media(node).await?;
            Ok(Answer::Done)
        }
        HostCall::Subscribe { node, subscription } => subscribe(client, node, subscription).await,
        HostCall::Unsubscribe { node, id } => {
            unless_missing(client.delete_subscription(node, id).await)?;
            Ok(Answer::Done)
        }
    }
}

async fn create(poll: &Poll, new: &NewNode, boot_mac: Option<&str>) -> Result<Answer, Failed> {
    let client = poll.client();
    let asked = Instant::now();
    if let Some(found) = client.node(&new.name).await? {
        return Ok(known(poll, found, asked));
    }
    if let Some(mac) = boot_mac {
        let ports = client.ports(&PortFilter::Address(mac.to_owned())).await?;
        if let Some(port) = ports.first()
            && let Some(owner) = client.node(&port.node_uuid).await?
        {
            return match &owner.name {
                Some(name) if *name != new.name => Err(mac_conflict(mac, name)),
                Some(_) | None => Ok(known(poll, owner, asked)),
            };
        }
    }
    match client.create_node(new).await {
        Ok(created) => Ok(known(poll, created, Instant::now())),
        // Our own earlier try, whose answer was lost.
        Err(error) if error.kind == ErrorKind::Conflict => match client.node(&new.name).await? {
            Some(found) => Ok(known(poll, found, asked)),
            None => Err(error.into()),
        },
        Err(error) => Err(error.into()),
    }
}

/// A node that a request brought back, put into the picture.
fn known(poll: &Poll, node: Node, asked: Instant) -> Answer {
    let uuid = node.uuid.clone();
    poll.absorb(node, asked);
    Answer::Node(poll.node(&uuid))
}

async fn ensure_ports(client: &Client, node: &str, wanted: &[WantedPort]) -> Result<(), Failed> {
    let existing = client.ports(&PortFilter::Node(node.to_owned())).await?;
    let missing = |want: &&WantedPort| !existing.iter().any(|port| port.address.eq_ignore_ascii_case(&want.address));
    for port in wanted.iter().filter(missing) {
        let new = NewPort { node_uuid: node.to_owned(), address: port.address.clone(), pxe_enabled: port.pxe_enabled };
        match client.create_port(&new).await {
            Ok(_) => {}
            Err(error) if error.kind == ErrorKind::Conflict => {
                let owner = client.ports(&PortFilter::Address(port.address.clone())).await?.into_iter().next();
                match owner {
                    Some(owner) if owner.node_uuid != node => {
                        let name = client.node(&owner.node_uuid).await?.map(|node| node.label().to_owned());
                        return Err(mac_conflict(&port.address, &name.unwrap_or(owner.node_uuid)));
                    }
                    Some(_) => {}
                    None => return Err(error.into()),
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn mac_conflict(mac: &str, node: &str) -> Failed {
    let text = format!(
        "MAC address {mac} conflicts with existing node {node}: correct bootMACAddress, or remove the other host or node"
    );
    Failed::Fault(Fault::new(Class::User, reason::MAC_CONFLICT, text))
}

/// A live look before a move: the picture may be a few seconds old, and a move may wipe disks.
async fn guard(client: &Client, node: &str, seen: &ProvisionState) -> Result<(), Failed> {
    match client.node(node).await? {
        Some(now) if now.provision_state == *seen => Ok(()),
        Some(now) => {
            let text = format!("the node is {:?} and no longer {:?}", now.provision_state.as_str(), seen.as_str());
            Err(Error::local(ErrorKind::WrongState, "state check", text).into())
        }
        None => Err(Error::local(ErrorKind::NotFound, "state check", format!("there is no node {node}")).into()),
    }
}

async fn move_node(poll: &Poll, node: &str, change: &ProvisionChange) -> Result<Answer, Failed> {
    poll.client().set_provision_state(node, change).await?;
    refreshed(poll, node).await
}

async fn set_power(poll: &Poll, node: &str, target: PowerTarget) -> Result<Answer, Failed> {
    let client = poll.client();
    let timeout = (target == PowerTarget::SoftOff).then_some(SOFT_POWER_OFF_SECONDS);
    let mut done = target;
    if let Err(error) = client.set_power(node, target, timeout).await {
        match target.hard() {
            // Ironic answers 400 when the driver has no soft power.
            Some(hard) if error.kind == ErrorKind::InvalidRequest => {
                client.set_power(node, hard, None).await?;
                done = hard;
            }
            Some(_) | None => return Err(error.into()),
        }
    }
    match refreshed(poll, node).await? {
        Answer::Node(node) => Ok(Answer::Power(done, node)),
        other => Ok(other),
    }
}

/// Ironic's own failure to read from a management controller is that controller's refusal or silence.
fn access(error: Error) -> Failed {
    match error.kind {
        ErrorKind::Server | ErrorKind::Timeout => {
            let remedy = "check spec.bmc.address and the Secret of spec.bmc.credentialsName";
            let text = format!("the management controller cannot be used: {}; {remedy}", error.text);
            Failed::Fault(Fault::new(Class::Peer, reason::NO_ACCESS, text))
        }
        _ => error.into(),
    }
}

async fn subscribe(client: &Client, node: &str, subscription: &Subscription) -> Result<Answer, Failed> {
    let headers: Vec<Value> = subscription.headers.iter().map(|(name, value)| json!({name: value})).collect();
    let mut body = json!({"Destination": subscription.destination, "Context": subscription.context});
    if let (false, Some(body)) = (headers.is_empty(), body.as_object_mut()) {
        body.insert("HttpHeaders".to_owned(), headers.into());
    }
    Ok(Answer::Subscribed(client.create_subscription(node, body).await?))
}

/// The node as it is now. The change is done; a failing read only delays what the picture shows.
async fn refreshed(poll: &Poll, node: &str) -> Result<Answer, Failed> {
    match poll.refresh(node).await {
        Ok(found) => Ok(Answer::Node(found)),
        Err(error) => {
            tracing::debug!(node, %error, "cannot read the node after a change");
            poll.hurry();
            Ok(Answer::Node(poll.node(node)))
        }
    }
}

fn unless_missing(answer: Result<(), Error>) -> Result<(), Error> {
    match answer {
        Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
