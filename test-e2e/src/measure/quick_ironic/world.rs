//! What the played Ironic knows, and how it changes. Every step takes no time, so no node is ever seen moving.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// What is kept of a node besides what Ironic shows of it.
#[derive(Debug, Default)]
pub(super) struct World {
    /// By id.
    nodes: BTreeMap<String, Value>,
    /// Id by name.
    names: BTreeMap<String, String>,
    /// By id.
    ports: BTreeMap<String, Value>,
    /// Port by address.
    addresses: BTreeMap<String, String>,
    /// Ports by node.
    ports_of: BTreeMap<String, Vec<String>>,
    /// Numbers given out.
    made: u64,
}

/// Something of that name or address exists.
#[derive(Debug)]
pub(super) struct Taken;

/// Interfaces that a node has when nobody names others, as a Redfish machine gets them.
const INTERFACES: [(&str, &str); 9] = [
    ("bios_interface", "redfish"),
    ("boot_interface", "ipxe"),
    ("deploy_interface", "direct"),
    ("firmware_interface", "redfish"),
    ("inspect_interface", "agent"),
    ("management_interface", "redfish"),
    ("power_interface", "redfish"),
    ("raid_interface", "no-raid"),
    ("vendor_interface", "redfish"),
];

impl World {
    /// The id that a name or an id stands for.
    pub(super) fn id(&self, ident: &str) -> Option<&String> {
        let named = self.names.get(ident).map_or(ident, String::as_str);
        self.nodes.get_key_value(named).map(|(id, _)| id)
    }

    /// A node as Ironic shows it: passwords masked, and only the fields asked for.
    pub(super) fn show(&self, ident: &str, fields: Option<&str>) -> Option<Value> {
        self.nodes.get(self.id(ident)?).map(|node| shown(node, fields))
    }

    /// Nodes behind an id, in the order of their ids.
    pub(super) fn page(&self, after: &str, limit: usize, fields: Option<&str>) -> Vec<Value> {
        let behind = self.nodes.range(after.to_owned()..).filter(|(id, _)| *id != after);
        behind.take(limit).map(|(_, node)| shown(node, fields)).collect()
    }

    /// A new node in `enroll`.
    pub(super) fn create(&mut self, mut node: Value) -> Result<Value, Taken> {
        let id = self.number("00000000");
        if let Some(name) = node["name"].as_str() {
            if self.names.contains_key(name) {
                return Err(Taken);
            }
            self.names.insert(name.to_owned(), id.clone());
        }
        for (key, default) in INTERFACES {
            if node[key].is_null() {
                node[key] = json!(default);
            }
        }
        for key in ["driver_info", "instance_info", "properties", "raid_config", "target_raid_config", "network_data"] {
            if node[key].is_null() {
                node[key] = json!({});
            }
        }
        for key in ["clean_step", "deploy_step", "service_step", "extra"] {
            node[key] = json!({});
        }
        node["uuid"] = json!(id);
        node["provision_state"] = json!("enroll");
        node["maintenance"] = json!(false);
        node["created_at"] = json!("2026-01-01T00:00:00+00:00");
        self.nodes.insert(id, node.clone());
        Ok(shown(&node, None))
    }

    /// Forgets a node with its ports.
    pub(super) fn delete(&mut self, ident: &str) -> Option<()> {
        let id = self.id(ident)?.clone();
        let node = self.nodes.remove(&id)?;
        if let Some(name) = node["name"].as_str() {
            self.names.remove(name);
        }
        for port in self.ports_of.remove(&id).unwrap_or_default() {
            self.remove_port(&port);
        }
        Some(())
    }

    /// JSON patch (RFC 6902) as far as a client of Ironic uses it: members are set and removed.
    pub(super) fn patch(&mut self, ident: &str, changes: &[Value]) -> Option<Value> {
        let id = self.id(ident)?.clone();
        let node = self.nodes.get_mut(&id)?;
        all_changes(node, changes);
        let (name, shown) = (node["name"].as_str().map(str::to_owned), shown(node, None));
        self.names.retain(|_, known| *known != id);
        self.names.extend(name.map(|name| (name, id)));
        Some(shown)
    }

    /// Moves a node to where a finished operation would have brought it.
    pub(super) fn provision(&mut self, ident: &str, target: &str) -> Option<()> {
        let id = self.id(ident)?.clone();
        let node = self.nodes.get_mut(&id)?;
        let state = match target {
            "active" | "rebuild" | "adopt" | "service" => "active",
            "provide" | "deleted" | "undeploy" => "available",
            _ => "manageable",
        };
        if target == "inspect" {
            node["inspection_finished_at"] = json!(now());
        }
        node["provision_state"] = json!(state);
        node["provision_updated_at"] = json!(now());
        node["power_state"] = json!(if state == "active" { "power on" } else { "power off" });
        Some(())
    }

    /// Sets one field.
    pub(super) fn set(&mut self, ident: &str, field: &str, value: Value) -> Option<()> {
        let id = self.id(ident)?.clone();
        self.nodes.get_mut(&id)?[field] = value;
        Some(())
    }

    /// What an inspection found, once there was one: the interface that the host is said to boot from.
    pub(super) fn inventory(&self, ident: &str) -> Option<Value> {
        let id = self.id(ident)?;
        let inspected = self.nodes.get(id)?["inspection_finished_at"].is_string();
        let ports = self.ports_of.get(id).into_iter().flatten().filter_map(|port| self.ports.get(port));
        let macs = ports.enumerate().map(|(number, port)| {
            json!({"name": format!("eno{}", number + 1), "mac_address": port["address"], "has_carrier": true})
        });
        let macs: Vec<Value> = macs.collect();
        inspected.then(|| hardware(id, &macs))
    }

    /// Ports, all or those of a node or an address.
    pub(super) fn ports(&self, node: Option<&str>, address: Option<&str>) -> Vec<&Value> {
        match (node, address) {
            (_, Some(address)) => self
                .addresses
                .get(&address.to_ascii_lowercase())
                .and_then(|id| self.ports.get(id))
                .into_iter()
                .collect(),
            (Some(node), None) => {
                let ids = self.id(node).and_then(|id| self.ports_of.get(id)).into_iter().flatten();
                ids.filter_map(|id| self.ports.get(id)).collect()
            }
            (None, None) => self.ports.values().collect(),
        }
    }

    /// A new port.
    pub(super) fn create_port(&mut self, mut port: Value) -> Result<Value, Taken> {
        let address = port["address"].as_str().unwrap_or_default().to_ascii_lowercase();
        if self.addresses.contains_key(&address) {
            return Err(Taken);
        }
        let id = self.number("10000000");
        port["uuid"] = json!(id);
        port["address"] = json!(address);
        let node = port["node_uuid"].as_str().unwrap_or_default().to_owned();
        self.ports_of.entry(node).or_default().push(id.clone());
        self.addresses.insert(address, id.clone());
        self.ports.insert(id, port.clone());
        Ok(port)
    }

    /// Changes a port.
    pub(super) fn patch_port(&mut self, id: &str, changes: &[Value]) -> Option<Value> {
        let port = self.ports.get_mut(id)?;
        all_changes(port, changes);
        Some(port.clone())
    }

    /// Forgets a port.
    pub(super) fn remove_port(&mut self, id: &str) -> Option<()> {
        let port = self.ports.remove(id)?;
        self.addresses.remove(port["address"].as_str().unwrap_or_default());
        if let Some(ports) = port["node_uuid"].as_str().and_then(|node| self.ports_of.get_mut(node)) {
            ports.retain(|known| known != id);
        }
        Some(())
    }

    fn number(&mut self, prefix: &str) -> String {
        self.made += 1;
        format!("{prefix}-0000-4000-8000-{:012}", self.made)
    }
}

fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

fn all_changes(place: &mut Value, changes: &[Value]) {
    for change in changes {
        one_change(place, change);
    }
}

fn one_change(place: &mut Value, change: &Value) {
    let path: Vec<String> = change["path"].as_str().unwrap_or_default().split('/').skip(1).map(unescape).collect();
    let Some((last, above)) = path.split_last() else { return };
    let place = above.iter().fold(place, |place, name| &mut place[name.as_str()]);
    if change["op"] == "remove" {
        if let Some(members) = place.as_object_mut() {
            members.remove(last);
        }
    } else {
        place[last.as_str()] = change["value"].clone();
    }
}

fn unescape(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

/// Ironic never shows a password, and shows every field, be it null.
fn shown(node: &Value, fields: Option<&str>) -> Value {
    let mut shown = match fields {
        Some(fields) => fields.split(',').map(|field| (field.to_owned(), node[field].clone())).collect(),
        None => node.clone(),
    };
    for (key, value) in shown["driver_info"].as_object_mut().into_iter().flatten() {
        if key.ends_with("password") {
            *value = json!("******");
        }
    }
    shown
}

fn hardware(id: &str, interfaces: &[Value]) -> Value {
    json!({"plugin_data": {}, "inventory": {
        "interfaces": interfaces,
        "disks": [{"name": "/dev/sda", "size": 500_000_000_000_u64, "rotational": false}],
        "cpu": {"count": 32, "architecture": "x86_64", "model_name": "any", "frequency": "2000"},
        "memory": {"physical_mb": 131_072},
        "system_vendor": {"manufacturer": "any", "product_name": "any", "serial_number": id},
        "boot": {"current_boot_mode": "uefi"}, "hostname": id,
    }})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_kept_as_it_was_written_and_shown_without_its_password() {
        let mut world = World::default();
        let node = json!({"name": "a~b", "driver": "redfish", "driver_info": {"redfish_password": "secret"}});
        let made = world.create(node.clone()).unwrap();
        assert!(world.create(node).is_err(), "names are unique");
        assert_eq!(
            (&made["provision_state"], &made["driver_info"]["redfish_password"]),
            (&json!("enroll"), &json!("******"))
        );
        let id = made["uuid"].as_str().unwrap().to_owned();
        let change = [
            json!({"op": "add", "path": "/driver_info/deploy_kernel", "value": "k"}),
            json!({"op": "add", "path": "/name", "value": "c"}),
            json!({"op": "remove", "path": "/driver_info/redfish_password"}),
        ];
        world.patch("a~b", &change).unwrap();
        assert!(world.show("a~b", None).is_none());
        let fields = Some("uuid,driver_info,fault");
        assert_eq!(
            world.show("c", fields).unwrap(),
            json!({"uuid": id, "driver_info": {"deploy_kernel": "k"}, "fault": null})
        );
        let port = json!({"node_uuid": id, "address": "52:54:00:00:00:0A"});
        world.create_port(port.clone()).unwrap();
        assert!(world.create_port(port).is_err(), "addresses are unique");
        assert!(world.inventory(&id).is_none(), "not inspected yet");
        world.provision(&id, "inspect").unwrap();
        let found = world.inventory(&id).unwrap();
        assert_eq!(found["inventory"]["interfaces"][0]["mac_address"], "52:54:00:00:00:0a");
        world.delete(&id).unwrap();
        assert!(world.ports(None, None).is_empty() && world.page("", 9, None).is_empty());
    }
}
