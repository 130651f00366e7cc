use super::*;

#[test]
fn debug_shows_no_secrets() {
    let node = NewNode {
        driver_info: [("redfish_password", "hunter2"), ("redfish_address", "https://bmc")].into_iter().collect(),
        ..NewNode::default()
    };
    let drive = ConfigDrive { user_data: Some("hunter2".into()), ..ConfigDrive::default() };
    let patch = Patch::new()
        .set(&["driver_info", "ipmi_password"], "hunter2")
        .set(&["driver_info"], serde_json::json!({"redfish_password": "hunter2"}))
        .set(&["instance_info", "image_pull_secret"], "user:hunter2");
    let subscription = Subscription {
        destination: "https://here".into(),
        context: String::new(),
        headers: vec![("Authorization".into(), "hunter2".into())],
    };
    let calls = [
        HostCall::CreateNode { node: Box::new(node), boot_mac: None },
        HostCall::Deploy {
            node: "n".into(),
            seen: ProvisionState::Available,
            patch: Patch::new(),
            configdrive: Some(Box::new(drive)),
            steps: Vec::new(),
        },
        HostCall::UpdateNode { node: "n".into(), patch },
        HostCall::Clean {
            node: "n".into(),
            seen: ProvisionState::Manageable,
            raid: None,
            steps: vec![
                Step::new("firmware", "update").arg("settings", serde_json::json!([{"url": "http://u:hunter2@h/b"}])),
            ],
        },
        HostCall::Subscribe { node: "n".into(), subscription: Box::new(subscription) },
    ];
    for call in calls {
        let shown = format!("{call:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains(MASK), "{shown}");
    }
}
