use api::metal3::ImageFormat;
use ironic::Info;
use ironic::redact::MASK;
use serde_json::json;

use super::*;

fn image(url: &str) -> Image {
    Image { url: url.into(), checksum: Some("abc".into()), ..Image::default() }
}
fn instance(image: Option<&Image>) -> Instance<'_> {
    Instance {
        uid: "uid-1",
        image,
        custom_step: None,
        pull_secret: None,
        hints: None,
        boot_mode: &BootMode::Uefi,
        persistent_disk: "Default",
        persistent_iso: "Default",
    }
}
/// The node after Ironic took the patch. Only `add` and `remove` of one or two segments occur.
fn apply(node: &Node, patch: &Patch) -> Node {
    let mut value = json!({
        "driver_info": node.driver_info, "instance_info": node.instance_info,
        "instance_uuid": node.instance_uuid, "deploy_interface": node.deploy_interface,
    });
    for operation in serde_json::to_value(patch).unwrap().as_array().unwrap() {
        let pointer = operation["path"].as_str().unwrap();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let parent = value.pointer_mut(parent).unwrap();
        match operation["op"].as_str().unwrap() {
            "add" => parent[key] = operation["value"].clone(),
            _ => assert!(parent.as_object_mut().unwrap().remove(key).is_some(), "nothing at {pointer}"),
        }
    }
    serde_json::from_value(value).unwrap()
}
fn deployed(instance: &Instance<'_>) -> Node {
    let node = Node::default();
    apply(&node, &instance.patch(&node).unwrap())
}
fn info(node: &Node) -> Value {
    serde_json::to_value(&node.instance_info).unwrap()
}

#[test]
fn checksums() {
    let typed = |kind: &str| Image { checksum_type: Some(kind.into()), ..image("http://x/i.qcow2") };
    let found = Checksum::Found("abc".into());
    let given = |algorithm: &str| Checksum::Given { algorithm: algorithm.into(), value: "abc".into() };
    let none = |url: &str| Image { checksum: None, ..image(url) };
    let live = |checksum: Option<&str>| Image {
        format: Some(ImageFormat::LiveIso),
        checksum: checksum.map(Into::into),
        ..image("http://x/i.iso")
    };
    let table = [
        (image("http://x/i.qcow2"), Ok(found.clone())),
        (typed("auto"), Ok(found)),
        (typed("md5"), Ok(given("md5"))),
        (typed("sha256"), Ok(given("sha256"))),
        (typed("sha512"), Ok(given("sha512"))),
        (typed("crc"), Err(ImageError::ChecksumType { name: "crc".into() })),
        (none("http://x/i"), Err(ImageError::NoChecksum { url: "http://x/i".into() })),
        (none("http://u:pw@x/i"), Err(ImageError::NoChecksum { url: "http://******@x/i".into() })),
        (live(None), Ok(Checksum::None)),
        (live(Some("abc")), Ok(Checksum::None)),
        (none("oci://r/i:1"), Ok(Checksum::None)),
        (image("oci://r/i:1"), Err(ImageError::OciChecksum { url: "oci://r/i:1".into() })),
    ];
    for (image, wanted) in table {
        assert_eq!(checksum(&image), wanted, "{image:?}");
    }
}

#[test]
fn an_image_on_disk() {
    let hints = RootDeviceHints { device_name: Some("/dev/sda".into()), ..RootDeviceHints::default() };
    let qcow = Image {
        format: Some(ImageFormat::Qcow2),
        checksum_type: Some(ChecksumType::Sha256),
        ..image("http://x/i.qcow2")
    };
    let wanted = Instance { hints: Some(&hints), boot_mode: &BootMode::UefiSecureBoot, ..instance(Some(&qcow)) };
    let node = deployed(&wanted);
    assert_eq!(
        info(&node),
        json!({
            "capabilities": {"secure_boot": "true"}, "root_device": {"name": "s== /dev/sda"},
            "image_source": "http://x/i.qcow2", "image_disk_format": "qcow2",
            "image_os_hash_algo": "sha256", "image_os_hash_value": "abc",
        })
    );
    assert_eq!(node.driver_info.text("force_persistent_boot_device"), Some("Default"));
    assert_eq!(node.instance_uuid.as_deref(), Some("uid-1"));
    assert_eq!(node.deploy_interface, None);
    assert!(wanted.steps().is_empty());
    assert!(wanted.patch(&node).unwrap().is_empty());
    assert!(is_recorded(&node, &qcow));

    let url_sum = Image { checksum: Some("http://x/SHA256SUMS".into()), ..image("http://x/i.raw") };
    let node = deployed(&instance(Some(&url_sum)));
    let expected = json!({
        "capabilities": {}, "root_device": {}, "image_source": "http://x/i.raw",
        "image_checksum": "http://x/SHA256SUMS",
    });
    assert_eq!(info(&node), expected);
    assert!(is_recorded(&node, &url_sum) && !is_recorded(&node, &qcow));
    assert!(!is_recorded(&node, &Image { checksum: Some("other".into()), ..url_sum }));
}

#[test]
fn a_live_iso() {
    let iso = Image { format: Some(ImageFormat::LiveIso), checksum: None, ..image("http://x/live.iso") };
    let wanted = Instance { persistent_iso: "Always", ..instance(Some(&iso)) };
    let node = deployed(&wanted);
    assert_eq!(info(&node), json!({"capabilities": {}, "root_device": {}, "boot_iso": "http://x/live.iso"}));
    assert_eq!(node.deploy_interface.as_deref(), Some("ramdisk"));
    assert_eq!(node.driver_info.text("force_persistent_boot_device"), Some("Always"));
    assert!(is_recorded(&node, &iso));
    // After the database was lost: adoption needs the ISO, and a second look needs nothing.
    let adopted = apply(&Node::default(), &wanted.adoption(&Node::default()).unwrap());
    assert_eq!(adopted.instance_info.text("boot_iso"), Some("http://x/live.iso"));
    assert!(wanted.adoption(&adopted).unwrap().is_empty());
    assert!(instance(Some(&image("http://x/i"))).adoption(&Node::default()).unwrap().is_empty());
}

#[test]
fn custom_deployments() {
    let nothing = Instance { custom_step: Some("install_coreos"), ..instance(None) };
    let node = deployed(&nothing);
    assert_eq!(info(&node), json!({"capabilities": {}, "root_device": {}}));
    assert_eq!(node.deploy_interface.as_deref(), Some("custom-agent"));
    assert_eq!(node.driver_info, Info::default());
    assert_eq!(
        serde_json::to_value(nothing.steps()).unwrap(),
        json!([{"interface": "deploy", "step": "install_coreos", "args": {}, "priority": 80}])
    );
    let plain = image("http://x/i");
    let node = deployed(&Instance { image: Some(&plain), ..nothing.clone() });
    let expected =
        json!({"capabilities": {}, "root_device": {}, "image_source": "http://x/i", "image_checksum": "abc"});
    assert_eq!(info(&node), expected);
    let bare = Image { checksum: None, ..plain };
    let node = deployed(&Instance { image: Some(&bare), ..nothing });
    assert_eq!(info(&node), json!({"capabilities": {}, "root_device": {}, "image_source": "http://x/i"}));
}

#[test]
fn oci_images_carry_their_secret() {
    let oci = Image { checksum: None, ..image("oci://registry/i:1") };
    let wanted = Instance { pull_secret: Some("user:pw"), ..instance(Some(&oci)) };
    let mut node = deployed(&wanted);
    assert_eq!(node.instance_info.text("image_pull_secret"), Some("user:pw"));
    node.instance_info.set("image_pull_secret", MASK);
    // Masked: sent again, and nothing else.
    let again = Patch::new().set(&["instance_info", "image_pull_secret"], "user:pw");
    assert_eq!(wanted.patch(&node).unwrap(), again);
    assert!(!format!("{wanted:?}").contains("pw"));
    // The next image needs none.
    let gone = instance(Some(&oci)).patch(&node).unwrap();
    assert_eq!(gone, Patch::new().remove(&["instance_info", "image_pull_secret"]));
}

#[test]
fn every_kind_replaces_every_other() {
    let disk =
        Image { checksum_type: Some(ChecksumType::Sha512), format: Some(ImageFormat::Raw), ..image("http://x/a") };
    let iso = Image { format: Some(ImageFormat::LiveIso), ..image("http://x/b") };
    let auto = image("http://x/c");
    let kinds = [
        instance(Some(&disk)),
        instance(Some(&iso)),
        instance(Some(&auto)),
        Instance { custom_step: Some("s"), ..instance(None) },
        Instance { custom_step: Some("s"), ..instance(Some(&disk)) },
    ];
    for old in &kinds {
        for new in &kinds {
            let node = apply(&deployed(old), &new.patch(&deployed(old)).unwrap());
            assert_eq!(info(&node), info(&deployed(new)), "{old:?} -> {new:?}");
            assert_eq!(node.deploy_interface, deployed(new).deploy_interface, "{old:?} -> {new:?}");
        }
    }
}

#[test]
fn foreign_instances_are_released_first() {
    let node = Node { instance_uuid: Some("other".into()), ..Node::default() };
    assert!(is_foreign(&node, "uid-1") && !is_foreign(&node, "other") && !is_foreign(&Node::default(), "uid-1"));
    assert_eq!(release(&node), Patch::new().remove(&["instance_uuid"]));
    assert!(release(&Node::default()).is_empty());
}
