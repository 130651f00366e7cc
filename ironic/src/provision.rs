//! The life of a node: its provision states, the targets that move it, and the payload of a move.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::redact::{MASK, masked};

macro_rules! states {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $phase:ident;)*) => {
        /// Where a node is in its life. Text unknown to this program is kept in `Other`.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ProvisionState {
            $($(#[$doc])* $variant,)*
            /// A state of a newer Ironic.
            Other(String),
        }

        impl ProvisionState {
            /// Every state known here, in the order of a node's life.
            pub const KNOWN: &'static [Self] = &[$(Self::$variant,)*];

            /// The state's text on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Other(text) => text,
                }
            }

            /// The class of the state.
            pub fn phase(&self) -> Phase {
                match self {
                    $(Self::$variant => Phase::$phase,)*
                    // A state nobody knows is left alone, as one in which a conductor works.
                    Self::Other(_) => Phase::Busy,
                }
            }
        }

        impl From<&str> for ProvisionState {
            fn from(text: &str) -> Self {
                match text {
                    $($text => Self::$variant,)*
                    other => Self::Other(other.to_owned()),
                }
            }
        }
    };
}

states! {
    /// Known to Ironic; its BMC has not been verified.
    Enroll = "enroll", Stable;
    /// The BMC credentials are being verified.
    Verifying = "verifying", Busy;
    /// The BMC answers; the node is not offered for deployment.
    Manageable = "manageable", Stable;
    /// Inspection starts.
    Inspecting = "inspecting", Busy;
    /// Waits for the ramdisk to report the hardware.
    InspectWait = "inspect wait", WaitCallback;
    /// Inspection failed.
    InspectFailed = "inspect failed", Failed;
    /// A clean step runs in the conductor.
    Cleaning = "cleaning", Busy;
    /// Waits for the ramdisk to finish a clean step.
    CleanWait = "clean wait", WaitCallback;
    /// Cleaning failed.
    CleanFailed = "clean failed", Failed;
    /// Held during cleaning by a `hold` step.
    CleanHold = "clean hold", WaitCallback;
    /// Ready to be deployed.
    Available = "available", Stable;
    /// A deploy step runs in the conductor.
    Deploying = "deploying", Busy;
    /// Waits for the ramdisk to finish a deploy step.
    WaitCallBack = "wait call-back", WaitCallback;
    /// Deployment failed.
    DeployFailed = "deploy failed", Failed;
    /// Held during deployment by a `hold` step.
    DeployHold = "deploy hold", WaitCallback;
    /// Deployed (or adopted).
    Active = "active", Stable;
    /// An existing deployment is being taken over.
    Adopting = "adopting", Busy;
    /// Adoption failed.
    AdoptFailed = "adopt failed", Failed;
    /// The instance is being removed; cleaning follows.
    Deleting = "deleting", Busy;
    /// Removal of the instance failed.
    Error = "error", Failed;
    /// Deployed again on the same node.
    Rebuild = "rebuild", Busy;
    /// A service step runs in the conductor.
    Servicing = "servicing", Busy;
    /// Waits for the ramdisk to finish a service step.
    ServiceWait = "service wait", WaitCallback;
    /// Servicing failed.
    ServiceFailed = "service failed", Failed;
    /// Held during servicing by a `hold` step.
    ServiceHold = "service hold", WaitCallback;
    /// The rescue ramdisk is being started.
    Rescuing = "rescuing", Busy;
    /// Waits for the rescue ramdisk.
    RescueWait = "rescue wait", WaitCallback;
    /// Starting the rescue ramdisk failed.
    RescueFailed = "rescue failed", Failed;
    /// The rescue ramdisk runs.
    Rescue = "rescue", Stable;
    /// Rescue is being left.
    Unrescuing = "unrescuing", Busy;
    /// Leaving rescue failed.
    UnrescueFailed = "unrescue failed", Failed;
}

/// The class of a [`ProvisionState`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Nothing happens until somebody asks.
    Stable,
    /// A conductor works on the node and may hold its lock.
    Busy,
    /// The last move failed; `last_error` may say why. It may be null.
    Failed,
    /// The ramdisk is expected to call back; most of these states can be aborted.
    WaitCallback,
}

impl Default for ProvisionState {
    fn default() -> Self {
        Self::Other(String::new())
    }
}

impl fmt::Display for ProvisionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ProvisionState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ProvisionState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
        Ok(Self::from(text.as_str()))
    }
}

/// What a node can be asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ProvisionTarget {
    /// Verify the BMC, or come back from `available` and from most failures.
    Manage,
    /// Clean (if automated cleaning is on) and offer for deployment.
    Provide,
    /// Discover the hardware.
    Inspect,
    /// Stop an operation that waits for its ramdisk.
    Abort,
    /// Run clean steps chosen by the caller.
    Clean,
    /// Take over a machine that is deployed already.
    Adopt,
    /// Deploy.
    Active,
    /// Deploy again.
    Rebuild,
    /// Remove the instance.
    Deleted,
    /// Run service steps on an active node.
    Service,
    /// Start the rescue ramdisk.
    Rescue,
    /// Leave rescue.
    Unrescue,
    /// Leave a `hold`.
    Unhold,
}

impl ProvisionTarget {
    /// The target's text on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manage => "manage",
            Self::Provide => "provide",
            Self::Inspect => "inspect",
            Self::Abort => "abort",
            Self::Clean => "clean",
            Self::Adopt => "adopt",
            Self::Active => "active",
            Self::Rebuild => "rebuild",
            Self::Deleted => "deleted",
            Self::Service => "service",
            Self::Rescue => "rescue",
            Self::Unrescue => "unrescue",
            Self::Unhold => "unhold",
        }
    }
}

impl fmt::Display for ProvisionTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One clean, deploy or service step. Debug output masks secrets in its arguments.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The hardware interface that owns the step, e.g. `raid`, `bios`, `deploy`.
    pub interface: String,
    /// The step's name, e.g. `apply_configuration`.
    pub step: String,
    /// Its arguments. Deploy steps need the key even when empty.
    #[serde(default)]
    pub args: Map<String, Value>,
    /// Order among deploy steps; higher runs first. Not allowed in clean and service steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u32>,
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Step")
            .field("interface", &self.interface)
            .field("step", &self.step)
            .field("args", &masked(&Value::Object(self.args.clone())))
            .field("priority", &self.priority)
            .finish()
    }
}

impl Step {
    /// A step without arguments.
    pub fn new(interface: impl Into<String>, step: impl Into<String>) -> Self {
        Self { interface: interface.into(), step: step.into(), args: Map::new(), priority: None }
    }
    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.args.insert(name.into(), value.into());
        self
    }
}

/// The parts of a config drive; Ironic builds the file system. User data usually holds secrets.
#[derive(Clone, Default, PartialEq, Serialize)]
pub struct ConfigDrive {
    /// `openstack/latest/meta_data.json`. Must hold `uuid`: cloud-init refuses a drive without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta_data: Option<Map<String, Value>>,
    /// `openstack/latest/network_data.json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_data: Option<Map<String, Value>>,
    /// `openstack/latest/user_data`, verbatim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_data: Option<String>,
}

impl fmt::Debug for ConfigDrive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigDrive")
            .field("meta_data", &self.meta_data.as_ref().map(|_| MASK))
            .field("network_data", &self.network_data.as_ref().map(|_| MASK))
            .field("user_data", &self.user_data.as_ref().map(|_| MASK))
            .finish()
    }
}

/// The body of a provision state request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProvisionChange {
    /// What the node shall do.
    pub target: ProvisionTarget,
    /// For [`ProvisionTarget::Active`] and [`ProvisionTarget::Rebuild`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configdrive: Option<ConfigDrive>,
    /// For [`ProvisionTarget::Clean`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clean_steps: Option<Vec<Step>>,
    /// For [`ProvisionTarget::Active`] and [`ProvisionTarget::Rebuild`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deploy_steps: Option<Vec<Step>>,
    /// For [`ProvisionTarget::Service`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_steps: Option<Vec<Step>>,
    /// For [`ProvisionTarget::Rescue`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rescue_password: Option<Password>,
}

impl ProvisionChange {
    /// A change without payload.
    pub fn to(target: ProvisionTarget) -> Self {
        Self {
            target,
            configdrive: None,
            clean_steps: None,
            deploy_steps: None,
            service_steps: None,
            rescue_password: None,
        }
    }
    /// Manual cleaning with these steps.
    pub fn clean(steps: Vec<Step>) -> Self {
        Self { clean_steps: Some(steps), ..Self::to(ProvisionTarget::Clean) }
    }
    /// Servicing with these steps.
    pub fn service(steps: Vec<Step>) -> Self {
        Self { service_steps: Some(steps), ..Self::to(ProvisionTarget::Service) }
    }
    /// A deployment; no steps means Ironic's own.
    pub fn deploy(configdrive: Option<ConfigDrive>, steps: Vec<Step>) -> Self {
        Self {
            configdrive,
            deploy_steps: Some(steps).filter(|steps| !steps.is_empty()),
            ..Self::to(ProvisionTarget::Active)
        }
    }
}

/// A password. Debug output masks it.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}
