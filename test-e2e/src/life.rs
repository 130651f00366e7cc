//! The life of one machine driven straight through Ironic, without Kubernetes: what the bench itself is proved with, and
//! the first thing to run when a story fails and it is unclear whose fault it is.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::level_m::{Description, Image, MachineEntry};
use crate::wait::Gone;

/// API version asked for.
const VERSION: &str = "1.95";

/// Longest time for one phase on a busy machine.
const PHASE: Duration = Duration::from_mins(25);

/// One machine in Ironic. The caller is inside the bench's namespace ([`crate::host::run_in`]).
#[derive(Debug)]
pub struct Life<'a> {
    bench: &'a Description,
    machine: &'a MachineEntry,
    http: Client,
}

/// Where a machine boots the agent from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentBoot {
    /// Network, `ipxe` boot interface.
    Ipxe,
    /// Virtual CD, `redfish-virtual-media` boot interface.
    VirtualMedia,
}

impl<'a> Life<'a> {
    /// The machine of that name.
    pub fn of(bench: &'a Description, name: &str) -> Result<Self> {
        let machine = bench.machines.iter().find(|machine| machine.name == name);
        let machine = machine.with_context(|| format!("the bench has no machine {name}"))?;
        Ok(Self { bench, machine, http: Client::builder().timeout(Duration::from_mins(1)).build()? })
    }

    /// Creates node and port.
    pub async fn enroll(&self, boot: AgentBoot) -> Result<()> {
        let boot = match boot {
            AgentBoot::Ipxe => "ipxe",
            AgentBoot::VirtualMedia => "redfish-virtual-media",
        };
        let address = self.machine.bmc_address.trim_start_matches("redfish+");
        let (address, system) = address.split_once("/redfish/").context("a Redfish address")?;
        let node = json!({
            "name": self.machine.name,
            "driver": "redfish",
            "boot_interface": boot,
            "driver_info": {
                "redfish_address": address,
                "redfish_system_id": format!("/redfish/{system}"),
                "redfish_username": self.machine.username,
                "redfish_password": self.machine.password,
                "deploy_kernel": self.bench.agent_kernel,
                "deploy_ramdisk": self.bench.agent_ramdisk,
            },
            "properties": { "capabilities": format!("boot_mode:{}", self.boot_mode()), "cpu_arch": "x86_64" },
        });
        let node = self.call(Method::POST, "/nodes", Some(node)).await?;
        let port = json!({ "node_uuid": node["uuid"], "address": self.machine.mac, "pxe_enabled": true });
        self.call(Method::POST, "/ports", Some(port)).await?;
        Ok(())
    }

    /// Checks the management access.
    pub async fn manage(&self) -> Result<()> {
        self.go("manage", json!({}), "manageable").await
    }

    /// Boots the agent and reads the hardware; returns the inventory.
    pub async fn inspect(&self) -> Result<Value> {
        self.go("inspect", json!({}), "manageable").await?;
        let inventory = self.call(Method::GET, &format!("/nodes/{}/inventory", self.machine.name), None).await?;
        Ok(inventory["inventory"].clone())
    }

    /// Cleans the disks' metadata and makes the machine available.
    pub async fn provide(&self) -> Result<()> {
        self.go("provide", json!({}), "available").await
    }

    /// Writes an image with a config drive (`meta_data`, `user_data`, `network_data`).
    pub async fn deploy(&self, image: &Image, config_drive: Value) -> Result<()> {
        let info = json!({
            "image_source": image.url, "image_os_hash_algo": image.checksum_type,
            "image_os_hash_value": image.checksum, "image_checksum": image.checksum,
            "image_disk_format": image.format, "capabilities": { "boot_mode": self.boot_mode() },
        });
        let patch = json!([{ "op": "add", "path": "/instance_info", "value": info }]);
        self.call(Method::PATCH, &format!("/nodes/{}", self.machine.name), Some(patch)).await?;
        self.go("active", json!({ "configdrive": config_drive }), "active").await
    }

    /// Removes the instance and cleans the machine.
    pub async fn undeploy(&self) -> Result<()> {
        self.go("deleted", json!({}), "available").await
    }

    /// Names of the nodes that Ironic knows.
    pub async fn nodes(&self) -> Result<Vec<String>> {
        let list = self.call(Method::GET, "/nodes", None).await?;
        let nodes = list["nodes"].as_array().context("a list of nodes")?;
        Ok(nodes.iter().filter_map(|node| node["name"].as_str().map(str::to_owned)).collect())
    }

    /// Waits until the newest serial log of the machine holds a word.
    pub async fn console_says(&self, word: &str) -> Result<()> {
        crate::wait::until(&format!("{word:?} on the console of {}", self.machine.name), PHASE, async || {
            let state: Value = serde_json::from_slice(&std::fs::read(self.machine.folder.join("state.json"))?)?;
            let log = self.machine.folder.join(format!("serial.{}.log", state["starts"]));
            Ok(String::from_utf8_lossy(&std::fs::read(log)?).contains(word).then_some(()))
        })
        .await
    }

    fn boot_mode(&self) -> &'static str {
        if self.machine.boot_mode == "legacy" { "bios" } else { "uefi" }
    }

    /// Asks for a provision state and waits for the last one, printing every change.
    async fn go(&self, target: &str, extra: Value, end: &str) -> Result<()> {
        let start = Instant::now();
        let mut body = json!({ "target": target });
        if let (Some(body), Some(extra)) = (body.as_object_mut(), extra.as_object()) {
            body.extend(extra.clone());
        }
        let name = &self.machine.name;
        // A node that is locked for a moment answers 409.
        crate::wait::until(&format!("{name} taking {target}"), Duration::from_mins(2), async || {
            self.call(Method::PUT, &format!("/nodes/{name}/states/provision"), Some(body.clone())).await.map(Some)
        })
        .await?;
        // Where start and end state are equal, the node may still show the old state for a moment.
        let mut left_start = false;
        let mut shown = String::new();
        crate::wait::until(&format!("{name} becoming {end}"), PHASE, async || {
            let fields = "fields=provision_state,target_provision_state,power_state,last_error,clean_step,deploy_step";
            let node = self.call(Method::GET, &format!("/nodes/{name}?{fields}"), None).await?;
            let state = node["provision_state"].as_str().unwrap_or_default();
            let step = [&node["clean_step"]["step"], &node["deploy_step"]["step"]];
            let step = step.iter().find_map(|step| step.as_str()).unwrap_or("-");
            let line = format!("{state}, step {step}, {}", node["power_state"].as_str().unwrap_or("power unknown"));
            if line != shown {
                eprintln!("{name}: {target}: {:6.1} s: {line}", start.elapsed().as_secs_f64());
                shown.clone_from(&line);
            }
            left_start |= !node["target_provision_state"].is_null() || state != end;
            if state.contains("fail") || state == "error" {
                return Err(Gone(format!("{name} is in {state}: {}", node["last_error"])).into());
            }
            Ok((state == end && (left_start || start.elapsed() > Duration::from_secs(5))).then_some(()))
        })
        .await
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let api = &self.bench.ironic;
        let mut request = self.http.request(method.clone(), format!("{}{path}", api.url));
        request = request.basic_auth(&api.username, Some(&api.password));
        request = request.header("X-OpenStack-Ironic-API-Version", VERSION);
        if let Some(body) = &body {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        if status.is_client_error() || status.is_server_error() {
            bail!("{method} {path}: {status} {text}");
        }
        if status == StatusCode::NO_CONTENT || text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).with_context(|| format!("{method} {path} answered {text}"))
    }
}

/// A config drive for a machine with a static address, as the provider makes it; the user data prints a word on the
/// console when it runs.
pub fn config_drive(machine: &MachineEntry, address: &str, word: &str) -> Value {
    json!({
        "meta_data": {
            "uuid": format!("00000000-0000-8000-8000-{}", machine.mac.replace(':', "")),
            "name": machine.name, "local-hostname": machine.name, "local_hostname": machine.name,
        },
        "network_data": {
            "links": [{ "id": "nic0", "type": "phy", "ethernet_mac_address": machine.mac, "mtu": 1500 }],
            "networks": [{
                "id": "provisioning", "type": "ipv4", "link": "nic0", "ip_address": address,
                "netmask": "255.255.255.0",
                "routes": [{ "network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "172.22.0.1" }],
            }],
            "services": [],
        },
        "user_data": format!("#cloud-config\nruncmd:\n  - echo {word} $(hostname) $(hostname -I) > /dev/console\n"),
    })
}
