//! Every request and its answer.

use ironic::provision::Password;
use ironic::{
    ConfigDrive, ErrorKind, NewNode, NewPort, Patch, PortFilter, PowerState, PowerTarget, ProvisionChange,
    ProvisionState, ProvisionTarget, Step,
};
use serde_json::{Value, json};

use crate::server::Server;

#[tokio::test]
async fn a_node_is_read_with_the_fields_of_the_server() {
    for (max, health, power_off) in [(115, true, true), (109, true, true), (95, false, true), (89, false, false)] {
        let server = Server::speaking(max).await;
        server.on("GET /v1/nodes/ns~host", 200, &json!({"uuid": "u"}));
        server.client().node("ns~host").await.unwrap();
        let asked = server.last();
        let version = max.min(110);
        assert_eq!(asked.header("x-openstack-ironic-api-version"), format!("1.{version}"));
        assert_eq!(asked.header("openstack-api-version"), format!("baremetal 1.{version}"));
        let asks = |field: &str| asked.fields.iter().any(|asked| asked == field);
        assert_eq!((asks("health"), asks("disable_power_off"), asks("fault")), (health, power_off, true), "1.{max}");
    }
}

#[tokio::test]
async fn a_node_as_ironic_shows_it() {
    let server = Server::start().await;
    server.on(
        "GET /v1/nodes/u",
        200,
        &json!({
            "uuid": "u", "name": "ns~host", "driver": "redfish", "provision_state": "clean wait",
            "target_provision_state": "available", "power_state": "power on", "target_power_state": null,
            "last_error": null, "maintenance": false, "fault": null, "instance_uuid": null, "automated_clean": null,
            "driver_info": {"redfish_password": "******"}, "instance_info": {}, "properties": {"cpu_arch": "x86_64"},
            "clean_step": {"interface": "deploy", "step": "erase_devices_metadata", "priority": 10,
                           "abortable": true, "requires_ramdisk": true},
            "deploy_step": {}, "network_data": {}, "raid_config": null, "health": "", "of_a_newer_ironic": [1],
            "links": [{"href": "http://x", "rel": "self"}],
        }),
    );
    let node = server.client().node("u").await.unwrap().unwrap();
    assert_eq!(node.provision_state, ProvisionState::CleanWait);
    assert_eq!(node.target_provision_state, Some(ProvisionState::Available));
    assert_eq!((node.power_state, node.target_power_state.as_deref()), (PowerState::On, None));
    assert_eq!((node.last_error.as_deref(), node.health.as_deref(), node.automated_clean), (None, None, None));
    assert_eq!(node.clean_step.unwrap().step, "erase_devices_metadata");
    assert_eq!(node.deploy_step, None);
    assert!(node.raid_config.is_empty());
}

#[tokio::test]
async fn a_fresh_node_is_mostly_null() {
    let server = Server::start().await;
    let null_fields: Vec<_> = ironic::node::FIELDS.iter().filter(|field| **field != "uuid").collect();
    let mut node: Value = json!({"uuid": "u", "driver": "redfish"});
    for field in null_fields {
        if *field != "driver" {
            node[*field] = Value::Null;
        }
    }
    server.on("GET /v1/nodes/u", 200, &node);
    let node = server.client().node("u").await.unwrap().unwrap();
    assert_eq!(node.power_state, PowerState::Unknown);
    assert!(!node.maintenance);
}

#[tokio::test]
async fn a_missing_node_is_no_error_but_a_missing_conductor_is() {
    let server = Server::start().await;
    let fault = |text: &str| json!({"error_message": json!({"faultstring": text, "faultcode": "Client"}).to_string()});
    server.on("GET /v1/nodes/x", 404, &fault("Node x could not be found."));
    server.on("DELETE /v1/nodes/y", 404, &fault("No valid host was found. Reason: No conductor service registered"));
    server.on("DELETE /v1/nodes/x", 404, &fault("Node x could not be found."));
    let client = server.client();
    assert_eq!(client.node("x").await.unwrap(), None);
    assert_eq!(client.delete_node("x").await.unwrap_err().kind, ErrorKind::NotFound);
    let error = client.delete_node("y").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Busy);
    let text = error.to_string();
    assert_eq!(text, "DELETE /v1/nodes/y: HTTP 404: No valid host was found. Reason: No conductor service registered");
}

#[tokio::test]
async fn lists_follow_their_pages_through_our_own_address() {
    let server = Server::start().await;
    let page = |uuids: &[&str], next: Option<&str>| {
        let nodes: Vec<_> = uuids.iter().map(|uuid| json!({"uuid": uuid})).collect();
        json!({"nodes": nodes, "next": next.map(|m| format!("http://inside.invalid:6385/v1/nodes?limit=2&marker={m}"))})
    };
    server.on("GET /v1/nodes", 200, &page(&["a", "b"], Some("b")));
    server.on("GET /v1/nodes?marker=b", 200, &page(&["c", "d"], Some("d")));
    server.on("GET /v1/nodes?marker=d", 200, &page(&["e"], None));
    let nodes = server.client().nodes().await.unwrap();
    assert_eq!(nodes.iter().map(|node| node.uuid.as_str()).collect::<Vec<_>>(), ["a", "b", "c", "d", "e"]);

    // A server that never comes to an end is an error, not a loop.
    let server = Server::start().await;
    server.on("GET /v1/nodes", 200, &page(&["a"], Some("a")));
    server.on("GET /v1/nodes?marker=a", 200, &page(&["a"], Some("a")));
    assert_eq!(server.client().nodes().await.unwrap_err().kind, ErrorKind::Malformed);
}

/// What each change looks like: request line and body.
#[tokio::test]
async fn changes_on_the_wire() {
    let server = Server::start().await;
    let client = server.client();
    let node = json!({"uuid": "n"});
    for line in ["POST /v1/nodes", "PATCH /v1/nodes/n"] {
        server.on(line, 200, &node);
    }
    for line in [
        "PUT /v1/nodes/n/states/provision",
        "PUT /v1/nodes/n/states/power",
        "PUT /v1/nodes/n/states/raid",
        "PUT /v1/nodes/n/states/boot_mode",
        "PUT /v1/nodes/n/management/boot_device",
        "PUT /v1/nodes/n/maintenance",
        "DELETE /v1/nodes/n/maintenance",
        "DELETE /v1/nodes/n",
        "PUT /v1/nodes/n/traits",
        "POST /v1/nodes/n/vmedia",
        "DELETE /v1/nodes/n/vmedia?device_types=cdrom",
        "DELETE /v1/ports/p",
        "DELETE /v1/nodes/n/vendor_passthru?method=delete_subscription",
    ] {
        server.on_text(line, 202, "");
    }
    server.on("POST /v1/ports", 201, &json!({"uuid": "p", "address": "00:00:00:00:00:01"}));
    server.on("PATCH /v1/ports/p", 200, &json!({"uuid": "p"}));
    server.on("POST /v1/nodes/n/vendor_passthru?method=create_subscription", 200, &json!({"Id": 7}));

    macro_rules! sent {
        ($call:expr, $line:expr, $body:expr) => {{
            $call.await.unwrap();
            let asked = server.last();
            assert_eq!((asked.line.as_str(), asked.body), ($line, $body));
        }};
    }
    let new = NewNode { name: "a~b".into(), driver: "redfish".into(), ..NewNode::default() };
    let body = json!({"name": "a~b", "driver": "redfish", "driver_info": {}, "properties": {}});
    sent!(client.create_node(&new), "POST /v1/nodes", body);
    let patch = Patch::new().set(&["driver_info", "a/b~c"], 1).remove(&["instance_uuid"]);
    let body =
        json!([{"op": "add", "path": "/driver_info/a~1b~0c", "value": 1}, {"op": "remove", "path": "/instance_uuid"}]);
    sent!(client.patch_node("n", &patch), "PATCH /v1/nodes/n", body);
    sent!(client.delete_node("n"), "DELETE /v1/nodes/n", Value::Null);
    let line = "PUT /v1/nodes/n/states/power";
    sent!(client.set_power("n", PowerTarget::On, None), line, json!({"target": "power on"}));
    let body = json!({"target": "soft power off", "timeout": 180});
    sent!(client.set_power("n", PowerTarget::SoftOff, Some(180)), line, body);
    let disks = json!({"logical_disks": []});
    sent!(client.set_raid_target("n", &disks), "PUT /v1/nodes/n/states/raid", disks.clone());
    sent!(client.set_boot_mode("n", "uefi"), "PUT /v1/nodes/n/states/boot_mode", json!({"target": "uefi"}));
    let body = json!({"boot_device": "disk", "persistent": true});
    sent!(client.set_boot_device("n", "disk", true), "PUT /v1/nodes/n/management/boot_device", body);
    sent!(client.set_maintenance("n", "why"), "PUT /v1/nodes/n/maintenance", json!({"reason": "why"}));
    sent!(client.clear_maintenance("n"), "DELETE /v1/nodes/n/maintenance", Value::Null);
    sent!(client.set_traits("n", &["T".into()]), "PUT /v1/nodes/n/traits", json!({"traits": ["T"]}));
    let body = json!({"device_type": "cdrom", "image_url": "http://i"});
    sent!(client.attach_media("n", "http://i"), "POST /v1/nodes/n/vmedia", body);
    sent!(client.detach_media("n"), "DELETE /v1/nodes/n/vmedia?device_types=cdrom", Value::Null);
    let port = NewPort { node_uuid: "n".into(), address: "00:00:00:00:00:01".into(), pxe_enabled: true };
    let body = json!({"node_uuid": "n", "address": "00:00:00:00:00:01", "pxe_enabled": true});
    sent!(client.create_port(&port), "POST /v1/ports", body);
    let body = json!([{"op": "add", "path": "/pxe_enabled", "value": false}]);
    sent!(client.patch_port("p", &Patch::new().set(&["pxe_enabled"], false)), "PATCH /v1/ports/p", body);
    sent!(client.delete_port("p"), "DELETE /v1/ports/p", Value::Null);
    assert_eq!(client.create_subscription("n", json!({"Destination": "d"})).await.unwrap(), "7");
    let line = "DELETE /v1/nodes/n/vendor_passthru?method=delete_subscription";
    sent!(client.delete_subscription("n", "7"), line, json!({"id": "7"}));
}

#[tokio::test]
async fn provision_requests() {
    let server = Server::start().await;
    server.on_text("PUT /v1/nodes/n/states/provision", 202, "");
    let client = server.client();
    let drive = ConfigDrive {
        meta_data: json!({"uuid": "u"}).as_object().cloned(),
        network_data: None,
        user_data: Some("#!/bin/sh\n".into()),
    };
    let mut custom = Step::new("deploy", "install");
    custom.priority = Some(80);
    let rescue = ProvisionChange {
        rescue_password: Some(Password("pw".into())),
        ..ProvisionChange::to(ProvisionTarget::Rescue)
    };
    let clean = Step::new("bios", "apply_configuration").arg("settings", json!([{"name": "A", "value": 1}]));
    let table = [
        (ProvisionChange::to(ProvisionTarget::Manage), json!({"target": "manage"})),
        (ProvisionChange::to(ProvisionTarget::Deleted), json!({"target": "deleted"})),
        (ProvisionChange::deploy(None, Vec::new()), json!({"target": "active"})),
        (
            ProvisionChange::deploy(Some(drive), vec![custom]),
            json!({"target": "active", "configdrive": {"meta_data": {"uuid": "u"}, "user_data": "#!/bin/sh\n"},
                   "deploy_steps": [{"interface": "deploy", "step": "install", "args": {}, "priority": 80}]}),
        ),
        (
            ProvisionChange::clean(vec![clean.clone()]),
            json!({"target": "clean", "clean_steps": [{"interface": "bios", "step": "apply_configuration",
                   "args": {"settings": [{"name": "A", "value": 1}]}}]}),
        ),
        (
            ProvisionChange::service(vec![Step::new("firmware", "update")]),
            json!({"target": "service", "service_steps": [{"interface": "firmware", "step": "update", "args": {}}]}),
        ),
        (rescue, json!({"target": "rescue", "rescue_password": "pw"})),
    ];
    for (change, body) in table {
        assert!(!format!("{change:?}").contains("pw") && !format!("{change:?}").contains("/bin/sh"));
        client.set_provision_state("n", &change).await.unwrap();
        assert_eq!(server.last().body, body);
    }
}

#[tokio::test]
async fn reads() {
    let server = Server::start().await;
    let client = server.client();
    server.on(
        "GET /v1/nodes/n/bios?detail=true",
        200,
        &json!({"bios": [{"name": "A", "value": "On", "unique": null}]}),
    );
    server.on("GET /v1/nodes/n/firmware", 200, &json!({"firmware": [{"component": "bmc", "current_version": "1"}]}));
    server.on("GET /v1/nodes/n/traits", 200, &json!({"traits": ["T"]}));
    server.on("GET /v1/nodes/n/vmedia", 200, &json!([{"image": "", "inserted": false, "media_types": ["CD"]}]));
    server.on("GET /v1/ports?node=n", 200, &json!({"ports": [{"uuid": "p", "node_uuid": "n", "address": "aa"}]}));
    server.on("GET /v1/ports?address=aa%3Abb", 200, &json!({"ports": []}));
    server.on("GET /v1/portgroups?node=n&detail=true", 200, &json!({"portgroups": [{"uuid": "g", "node_uuid": "n"}]}));
    server.on("GET /v1/conductors", 200, &json!({"conductors": [{"hostname": "c", "alive": true}]}));
    server.on("GET /v1/nodes/n/inventory", 404, &json!({"error_message": {"faultstring": "no inventory"}}));
    server.on(
        "GET /v1/nodes/m/inventory",
        200,
        &json!({"inventory": {"memory": {"physical_mb": 7}}, "plugin_data": {}}),
    );
    let verdict = json!({"boot": {"result": true}, "deploy": {"result": false, "reason": "no image"},
                         "console": {"result": null, "reason": "not supported"}});
    server.on("GET /v1/nodes/n/validate", 200, &verdict);
    assert_eq!(client.bios("n").await.unwrap()[0].value.as_deref(), Some("On"));
    assert_eq!(client.firmware("n").await.unwrap()[0].current_version.as_deref(), Some("1"));
    assert_eq!(client.traits("n").await.unwrap(), ["T"]);
    assert_eq!(client.media("n").await.unwrap()[0].media_types, ["CD"]);
    assert_eq!(client.ports(&PortFilter::Node("n".into())).await.unwrap()[0].uuid, "p");
    assert!(client.ports(&PortFilter::Address("AA:BB".into())).await.unwrap().is_empty());
    assert_eq!(client.port_groups("n").await.unwrap()[0].uuid, "g");
    assert!(client.conductors().await.unwrap()[0].alive);
    assert_eq!(client.drivers().await.unwrap()[0].name, "redfish");
    assert_eq!(client.inventory("n").await.unwrap(), None);
    assert_eq!(client.inventory("m").await.unwrap().unwrap().inventory.memory.physical_mb, Some(7));
    let failures = client.validate_node("n").await.unwrap().failures(&["boot", "deploy", "console", "rescue"]);
    assert_eq!(failures, ["no image"]);
}

#[tokio::test]
async fn virtual_media_needs_a_newer_server() {
    let server = Server::speaking(92).await;
    let error = server.client().media("n").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Version);
    assert!(error.text.contains("1.93") && error.text.contains("1.92"), "{error}");
    assert!(server.lines().is_empty());
}
