//! What README tells a user to do with clusterctl, done with the real one, offline, from the local repository: the
//! cluster templates, the components and their image, the installation as far as an API server without Nodes goes.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ironic::Auth;
use serde_json::{Value, json};
use test_e2e::bench::source_tree;
use test_e2e::clusterctl::{Clusterctl, Request, VERSION};
use test_e2e::command::Cmd;
use test_e2e::{Bench, level_a, manager, manifests};

#[tokio::test(flavor = "multi_thread")]
async fn the_default_template_renders_and_takes_the_overlay_of_emulated_machines() {
    let bench = Bench::fresh("test-clusterctl").await.unwrap();
    let clusterctl = Clusterctl::create(&bench).await.unwrap();
    let mut request = Request {
        name: "c1".to_owned(),
        namespace: "stories".to_owned(),
        from: None,
        flavor: None,
        control_plane: 1,
        workers: 2,
        variables: BTreeMap::new(),
    };
    // Without the variables it must say which ones are missing, not write a broken cluster.
    let missing = clusterctl.generate(&request).await.unwrap_err().to_string();
    assert!(missing.contains("CLUSTER_APIENDPOINT_HOST"), "{missing}");

    request.variables = variables();
    let from_repository = clusterctl.objects(&request).await.unwrap();
    let tree = source_tree().unwrap();
    request.from = Some(tree.join("templates/cluster-template.yaml"));
    let from_file = clusterctl.objects(&request).await.unwrap();
    assert_eq!(from_repository, from_file);

    let find = |kind: &str| from_file.iter().find(|object| object["kind"] == kind).unwrap();
    assert_eq!(find("Cluster")["metadata"]["name"], "c1");
    assert_eq!(find("KubeadmControlPlane")["spec"]["replicas"], 1);
    assert_eq!(find("MachineDeployment")["spec"]["replicas"], 2);
    assert!(from_file.iter().all(|object| object["metadata"]["namespace"] == "stories"));

    let overlay = std::fs::read_to_string(tree.join("test-e2e/assets/tcg-overlay.yaml")).unwrap();
    let overlay = manifests::parse(&overlay.replace("${CLUSTER_NAME}", "c1")).unwrap();
    let mut patched = from_file.clone();
    manifests::overlay(&mut patched, &overlay).unwrap();
    assert_ne!(patched, from_file);
}

fn variables() -> BTreeMap<String, String> {
    let values = [
        ("CLUSTER_APIENDPOINT_HOST", "172.22.0.30"),
        ("CONTROL_PLANE_IP_START", "172.22.0.30"),
        ("CONTROL_PLANE_IP_END", "172.22.0.39"),
        ("WORKER_IP_START", "172.22.0.40"),
        ("WORKER_IP_END", "172.22.0.49"),
        ("NETWORK_GATEWAY", "172.22.0.1"),
        ("HOST_INTERFACE", "eth0"),
        ("IMAGE_URL", "http://172.22.0.1/images/node.qcow2"),
        ("IMAGE_CHECKSUM", "http://172.22.0.1/images/node.qcow2.sha256"),
    ];
    values.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// What the template of the Go provider wants, with values as its users have them.
fn published() -> BTreeMap<String, String> {
    let values = [
        ("CLUSTER_APIENDPOINT_HOST", "172.22.0.30"),
        ("CLUSTER_APIENDPOINT_PORT", "6443"),
        ("IMAGE_URL", "http://172.22.0.1/images/node.qcow2"),
        ("IMAGE_CHECKSUM", "http://172.22.0.1/images/node.qcow2.sha256"),
        ("IMAGE_CHECKSUM_TYPE", "sha256"),
        ("IMAGE_FORMAT", "qcow2"),
        ("NODE_DRAIN_TIMEOUT", "300"),
        ("CTLPLANE_KUBEADM_EXTRA_CONFIG", "    users:\n    - name: metal3"),
        ("WORKERS_KUBEADM_EXTRA_CONFIG", "      users:\n      - name: metal3"),
    ];
    values.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dhcp_flavor_wants_only_what_the_published_template_wants_and_is_the_default_one_without_pools() {
    let bench = Bench::fresh("test-clusterctl-dhcp").await.unwrap();
    let clusterctl = Clusterctl::create(&bench).await.unwrap();
    let mut request = Request {
        name: "c1".to_owned(),
        namespace: "stories".to_owned(),
        from: None,
        flavor: Some("dhcp".to_owned()),
        control_plane: 3,
        workers: 2,
        variables: published(),
    };
    let dhcp = clusterctl.objects(&request).await.unwrap();
    request.flavor = None;
    request.variables.extend(variables());
    let mut default = clusterctl.objects(&request).await.unwrap();
    default.retain(|object| object["kind"] != "IPPool");
    for data in default.iter_mut().filter(|object| object["kind"] == "Metal3DataTemplate") {
        data["spec"].as_object_mut().unwrap().remove("networkData").unwrap();
    }
    assert_eq!(dhcp, default);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_topology_flavor_brings_its_class_from_the_repository() {
    let bench = Bench::fresh("test-clusterctl-topology").await.unwrap();
    let clusterctl = Clusterctl::create(&bench).await.unwrap();
    let request = Request {
        name: "c1".to_owned(),
        namespace: "stories".to_owned(),
        from: None,
        flavor: Some("topology".to_owned()),
        control_plane: 1,
        workers: 1,
        variables: variables(),
    };
    let objects = clusterctl.objects(&request).await.unwrap();
    let class = objects.iter().find(|object| object["kind"] == "ClusterClass").unwrap();
    let cluster = objects.iter().find(|object| object["kind"] == "Cluster").unwrap();
    assert_eq!(class["metadata"]["name"], cluster["spec"]["topology"]["classRef"]["name"]);
}

/// The components of each provider as a user gets them, by subcommand of the binary.
async fn installed(clusterctl: &Clusterctl, image: Option<&str>) -> [(&'static str, Vec<Value>); 3] {
    let bmo = source_tree().unwrap().join("clusterctl/bmo/bmo-components.yaml");
    let output = async |command: Cmd| {
        let command = image.iter().fold(command, |command, image| command.env("METAL3_IMAGE", image));
        let text = command.output().await.unwrap();
        assert!(!text.contains("${"), "a variable is left");
        manifests::parse(&text).unwrap()
    };
    let generate = |what| clusterctl.command().args(["generate", what]);
    [
        ("capi-provider", output(generate("provider").args(["--infrastructure", "metal3"])).await),
        ("ipam", output(generate("provider").args(["--ipam", "metal3"])).await),
        ("bmo", output(generate("yaml").arg("--from").arg(bmo)).await),
    ]
}

fn pod(objects: &[Value]) -> &Value {
    let deployment = objects.iter().find(|object| object["kind"] == "Deployment").unwrap();
    &deployment["spec"]["template"]["spec"]
}

/// The image itself is not built here. What it starts, and as whom, must be what the Deployments count on.
#[tokio::test(flavor = "multi_thread")]
async fn every_deployment_gets_the_image_that_is_named_and_starts_its_binary() {
    let bench = Bench::fresh("test-clusterctl-image").await.unwrap();
    let clusterctl = Clusterctl::create(&bench).await.unwrap();
    for (_, objects) in installed(&clusterctl, None).await {
        assert_eq!(pod(&objects)["containers"][0]["image"], format!("localhost/metal3:{VERSION}"));
    }
    let recipe = std::fs::read_to_string(source_tree().unwrap().join("Containerfile")).unwrap();
    assert!(recipe.ends_with("USER 65532:65532\nENTRYPOINT [\"/metal3\"]\n"), "{recipe}");
    for (subcommand, objects) in installed(&clusterctl, Some("registry.example/metal3:test")).await {
        let container = &pod(&objects)["containers"][0];
        assert_eq!(container["image"], "registry.example/metal3:test");
        assert!(container["command"].is_null(), "the image's own entry point");
        let user = &container["securityContext"];
        assert_eq!([&user["runAsUser"], &user["runAsGroup"]], [65532, 65532]);
        let args: Vec<&str> = container["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap()).collect();
        assert_eq!(args[0], subcommand);
        // Asked for help at the end, it has understood what comes before, and starts nothing.
        Cmd::new(manager::binary().unwrap()).args(args).arg("--help").run().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provider_s_published_variables_reach_it() {
    let bench = Bench::fresh("test-clusterctl-variables").await.unwrap();
    let clusterctl = Clusterctl::create(&bench).await.unwrap();
    let generate = clusterctl.command().args(["generate", "provider", "--infrastructure", "metal3"]);
    let variables = [
        ("ENABLE_BMH_NAME_BASED_PREALLOCATION", "true", "--enable-bmh-name-based-preallocation"),
        ("CAPM3_FAST_TRACK", "true", "--fast-track"),
        ("CAPM3_DIAGNOSTICS_ADDRESS", "127.0.0.1:1", "--diagnostics-address"),
        ("CAPM3_INSECURE_DIAGNOSTICS", "true", "--insecure-diagnostics"),
    ];
    let set = variables.iter().fold(generate, |command, (name, value, _)| command.env(name, value));
    let objects = manifests::parse(&set.output().await.unwrap()).unwrap();
    let args = pod(&objects)["containers"][0]["args"].as_array().unwrap();
    for (name, value, flag) in variables {
        assert!(args.contains(&json!(format!("{flag}={value}"))), "{name} in {args:?}");
    }
}

/// What the kubelet makes of a pod's optional Secrets, below `root`: every folder, and in it the keys that are there.
fn mounted(pod: &Value, root: &Path, secrets: &BTreeMap<&str, &[&str]>) {
    let at = |folder: &Value| root.join(folder.as_str().unwrap().trim_start_matches('/'));
    for mount in pod["containers"][0]["volumeMounts"].as_array().unwrap() {
        assert_eq!(mount["readOnly"], true);
        let folder = at(&mount["mountPath"]);
        std::fs::create_dir_all(&folder).unwrap();
        let volumes = pod["volumes"].as_array().unwrap();
        let secret = &volumes.iter().find(|volume| volume["name"] == mount["name"]).unwrap()["secret"];
        let Some(items) = secret["items"].as_array() else { continue };
        assert_eq!(secret["optional"], true);
        let keys = secrets.get(secret["secretName"].as_str().unwrap()).copied().unwrap_or_default();
        for item in items.iter().filter(|item| keys.contains(&item["key"].as_str().unwrap())) {
            let file = folder.join(item["path"].as_str().unwrap());
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, item["key"].as_str().unwrap()).unwrap();
        }
    }
}

/// The operator's settings in a container whose file system is `root`.
fn settings(root: &Path) -> ironic::Config {
    let below = |path: &str| Some(root.join(path).to_str().unwrap().to_owned());
    let var = |name: &str| match name {
        "IRONIC_ENDPOINT" => Some("https://ironic.example:6385".to_owned()),
        "METAL3_AUTH_ROOT_DIR" => below("opt/metal3/auth"),
        "IRONIC_CACERT_FILE" => below("opt/metal3/certs/ca/tls.crt"),
        "IRONIC_CLIENT_CERT_FILE" => below("opt/metal3/certs/client/tls.crt"),
        "IRONIC_CLIENT_PRIVATE_KEY_FILE" => below("opt/metal3/certs/client/tls.key"),
        _ => None,
    };
    bmo::Config::from_env(var).unwrap().ironic
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_finds_the_secrets_for_ironic_where_they_are_mounted_and_does_without_them() {
    let bench = Bench::fresh("test-clusterctl-secrets").await.unwrap();
    let clusterctl = Clusterctl::create(&bench).await.unwrap();
    let [_, _, (_, objects)] = installed(&clusterctl, None).await;
    let pod = pod(&objects);
    assert_eq!(pod["containers"][0]["envFrom"], json!([{ "configMapRef": { "name": "ironic", "optional": true } }]));

    let without = bench.dir("without").unwrap();
    mounted(pod, &without, &BTreeMap::new());
    let config = settings(&without);
    assert!(matches!(config.auth, Auth::None), "{config:?}");
    assert!(config.tls.authorities.is_none() && config.tls.identity.is_none(), "{config:?}");

    let with = bench.dir("with").unwrap();
    let pair: &[&str] = &["tls.crt", "tls.key"];
    let secrets = [
        ("ironic-credentials", &["username", "password"][..]),
        // As cert-manager makes it for an authority of its own.
        ("ironic-cacert", &["ca.crt", "tls.crt", "tls.key"]),
        ("ironic-client-cert", pair),
    ];
    mounted(pod, &with, &BTreeMap::from(secrets));
    let config = settings(&with);
    let Auth::Basic { username, password } = &config.auth else { panic!("{config:?}") };
    assert_eq!([username.read().unwrap(), password.read().unwrap()], ["username", "password"]);
    assert_eq!(config.tls.authorities.unwrap().read().unwrap(), "tls.crt");
    let (certificate, key) = config.tls.identity.unwrap();
    assert_eq!([certificate.read().unwrap(), key.read().unwrap()], ["tls.crt", "tls.key"]);
    assert!(!with.join("opt/metal3/certs/ca/tls.key").exists(), "the authority's key is nobody's business");
}

/// What an installation of the Go manager has, ours has under the same names: a Deployment's selector cannot change.
#[tokio::test(flavor = "multi_thread")]
async fn the_address_manager_is_installed_under_the_published_names_labels_and_variables() {
    let bench = Bench::fresh("test-clusterctl-ipam").await.unwrap();
    let clusterctl = Clusterctl::create(&bench).await.unwrap();
    let generate = || clusterctl.command().args(["generate", "provider", "--ipam", "metal3"]);
    let objects = manifests::parse(&generate().output().await.unwrap()).unwrap();
    let find = |kind: &str| objects.iter().find(|object| object["kind"] == kind).unwrap();
    for object in &objects {
        let label = &object["metadata"]["labels"]["cluster.x-k8s.io/provider"];
        assert_eq!(label, "ipam-metal3", "{} {}", object["kind"], object["metadata"]["name"]);
    }
    let namespaces = objects.iter().filter(|object| object["kind"] == "Namespace").count();
    assert_eq!((namespaces, &find("Namespace")["metadata"]["name"]), (1, &"metal3-ipam-system".into()));
    let deployment = find("Deployment");
    assert_eq!(deployment["metadata"]["name"], "ipam-controller-manager");
    let selector = serde_json::json!({ "matchLabels": {
        "control-plane": "controller-manager", "controller-tools.k8s.io": "1.0",
        "cluster.x-k8s.io/provider": "ipam-metal3",
    } });
    assert_eq!(deployment["spec"]["selector"], selector);
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["name"], "manager");
    let args = |objects: &[serde_json::Value]| {
        let deployment = objects.iter().find(|object| object["kind"] == "Deployment").unwrap();
        deployment["spec"]["template"]["spec"]["containers"][0]["args"].to_string()
    };
    assert!(args(&objects).contains("--diagnostics-address=:8443\",\"--insecure-diagnostics=false"));
    let set = generate().env("IPAM_DIAGNOSTICS_ADDRESS", "127.0.0.1:1").env("IPAM_INSECURE_DIAGNOSTICS", "true");
    let set = manifests::parse(&set.output().await.unwrap()).unwrap();
    assert!(args(&set).contains("--diagnostics-address=127.0.0.1:1\",\"--insecure-diagnostics=true"));
    for crd in objects.iter().filter(|object| object["kind"] == "CustomResourceDefinition") {
        for contract in ["v1beta1", "v1beta2"] {
            let served = crd["metadata"]["labels"][format!("cluster.x-k8s.io/{contract}")].as_str().unwrap();
            let versions = crd["spec"]["versions"].as_array().unwrap();
            assert!(versions.iter().any(|version| version["name"] == served), "{contract} names {served}");
        }
        assert!(!crd["metadata"]["labels"]["clusterctl.cluster.x-k8s.io"].is_null(), "seen by move");
    }
    let webhooks = |kind: &str| -> Vec<String> {
        let list = find(kind)["webhooks"].as_array().unwrap();
        list.iter().map(|webhook| webhook["clientConfig"]["service"]["path"].as_str().unwrap().to_owned()).collect()
    };
    let path = |action: &str, kind: &str| format!("/{action}-ipam-metal3-io-v1alpha1-{kind}");
    assert_eq!(webhooks("MutatingWebhookConfiguration"), [path("mutate", "ippool")]);
    let kinds = ["ippool", "ipclaim", "ipaddress"];
    assert_eq!(webhooks("ValidatingWebhookConfiguration"), kinds.map(|kind| path("validate", kind)));

    let metadata = source_tree().unwrap().join("clusterctl/ipam-metal3/metadata.yaml");
    let metadata = manifests::parse(&std::fs::read_to_string(metadata).unwrap()).unwrap();
    let [major, minor] =
        [0, 1].map(|n| VERSION.trim_start_matches('v').split('.').nth(n).unwrap().parse::<u64>().unwrap());
    let series = metadata[0]["releaseSeries"].as_array().unwrap();
    let own = series.iter().find(|series| series["major"] == major && series["minor"] == minor).unwrap();
    assert_eq!(own["contract"], "v1beta2");
}

/// A definition of cert-manager that takes everything: nobody issues certificates here.
fn of_cert_manager(kind: &str) -> Value {
    let plural = format!("{}s", kind.to_lowercase());
    let schema = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("{plural}.cert-manager.io") },
        "spec": {
            "group": "cert-manager.io", "scope": "Namespaced", "names": { "kind": kind, "plural": plural },
            "versions": [
                { "name": "v1", "served": true, "storage": true, "schema": { "openAPIV3Schema": schema } },
            ],
        },
    })
}

/// The command that the README names, on an API server without Nodes: what it stores, not what then runs.
#[tokio::test(flavor = "multi_thread")]
async fn clusterctl_init_installs_the_address_manager_and_keeps_it_in_its_inventory() {
    const NAMESPACE: &str = "metal3-ipam-system";
    let mut bench = Bench::fresh("test-clusterctl-init").await.unwrap();
    bench.guard(Path::new(env!("CARGO_BIN_EXE_bench"))).unwrap();
    let clusterctl = Clusterctl::create(&bench).await.unwrap();
    let plane = level_a::start(&bench, level_a::Options::default()).await.unwrap();
    let client = plane.client().await.unwrap();
    // clusterctl takes cert-manager for installed when it can make its objects.
    manifests::apply(&client, "default", &["Issuer", "Certificate"].map(of_cert_manager)).await.unwrap();
    let init = clusterctl.command().args(["init", "--ipam", "metal3", "--wait-providers=false"]);
    println!("{}", init.arg("--kubeconfig").arg(plane.kubeconfig()).output().await.unwrap());

    let get = async |version: &str, kind: &str, name: &str| {
        let object = json!({ "apiVersion": version, "kind": kind });
        let resource = manifests::resource(&client, &object).await.unwrap();
        let object = manifests::api_of(&client, NAMESPACE, &object, &resource).get(name).await.unwrap();
        serde_json::to_value(object).unwrap()
    };
    let provider = get("clusterctl.cluster.x-k8s.io/v1alpha3", "Provider", "ipam-metal3").await;
    let named = [&provider["providerName"], &provider["type"], &provider["version"]];
    assert_eq!(named, ["metal3", "IPAMProvider", VERSION]);
    let crd = |plural: &str| format!("{plural}.ipam.metal3.io");
    for (version, kind, name) in [
        ("v1", "Namespace", NAMESPACE.to_owned()),
        ("apps/v1", "Deployment", "ipam-controller-manager".to_owned()),
        ("v1", "Service", "ipam-webhook-service".to_owned()),
        ("cert-manager.io/v1", "Certificate", "ipam-serving-cert".to_owned()),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition", crd("ippools")),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition", crd("ipclaims")),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition", crd("ipaddresses")),
    ] {
        let labels = get(version, kind, &name).await["metadata"]["labels"].clone();
        assert_eq!(labels["cluster.x-k8s.io/provider"], "ipam-metal3", "{kind} {name}");
        assert_eq!(labels["clusterctl.cluster.x-k8s.io"], "", "{kind} {name}");
    }
    bench.wipe().await.unwrap();
}

/// The blocks of that language in README's "On real hardware", without their indentation.
fn readme(language: &str) -> Vec<String> {
    let text = std::fs::read_to_string(source_tree().unwrap().join("README.md")).unwrap();
    let section = text.split_once("\n## On real hardware\n").unwrap().1.split_once("\n## ").unwrap().0;
    let blocks = section.split("   ```").skip(1).step_by(2).filter_map(|block| block.strip_prefix(language));
    blocks.map(|block| block.trim_matches('\n').replace("\n   ", "\n").trim_start().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_providers_that_the_readme_lists_are_those_of_the_repository() {
    let bench = Bench::fresh("test-clusterctl-snippet").await.unwrap();
    let folder = bench.dir("repository").unwrap();
    let config: PathBuf = xtask::repository::write(&source_tree().unwrap(), &folder).unwrap();
    let [snippet] = &readme("yaml")[..] else { panic!("not one snippet: {:?}", readme("yaml")) };
    let snippet = snippet.replace("/srv/metal3", folder.to_str().unwrap());
    assert_eq!(manifests::parse(&snippet).unwrap(), manifests::read(&config).unwrap());
}

/// The commands as they are printed, without those that make image and repository. No Pod runs.
#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_readme_install_everything_and_make_a_cluster() {
    const NAMESPACE: &str = "baremetal-operator-system";
    let mut bench = Bench::fresh("test-clusterctl-readme").await.unwrap();
    bench.guard(Path::new(env!("CARGO_BIN_EXE_bench"))).unwrap();
    let clusterctl = Clusterctl::create(&bench).await.unwrap();
    let plane = level_a::start(&bench, level_a::Options::default()).await.unwrap();
    let client = plane.client().await.unwrap();
    manifests::apply(&client, "default", &["Issuer", "Certificate"].map(of_cert_manager)).await.unwrap();

    let here = bench.dir("here").unwrap();
    std::os::unix::fs::symlink(source_tree().unwrap().join("clusterctl"), here.join("clusterctl")).unwrap();
    for name in ["username", "password", "ca.crt"] {
        std::fs::write(here.join(name), name).unwrap();
    }
    std::fs::write(here.join("ironic.env"), "IRONIC_ENDPOINT=https://ironic.example:6385\n").unwrap();
    let elsewhere = |line: &&str| ["cargo ", "podman "].iter().any(|program| line.starts_with(program));
    let blocks = readme("sh").join("\n");
    let (left_out, lines): (Vec<&str>, Vec<&str>) = blocks.lines().partition(elsewhere);
    assert_eq!(left_out.len(), 4, "{left_out:?}");
    let lines = lines.join("\n").replace("/srv/metal3", clusterctl.dir().to_str().unwrap());
    let mut shell =
        clusterctl.shell(plane.binaries(), &lines).unwrap().dir(&here).env("KUBECONFIG", plane.kubeconfig());
    for (name, value) in published() {
        shell = shell.env(name, value);
    }
    println!("{lines}\n{}", shell.output().await.unwrap());

    let cluster = manifests::read(&here.join("c1.yaml")).unwrap();
    assert!(cluster.iter().any(|object| object["kind"] == "Metal3Cluster"), "{cluster:?}");
    let get = async |version: &str, kind: &str, namespace: &str, name: &str| {
        let object = json!({ "apiVersion": version, "kind": kind });
        let resource = manifests::resource(&client, &object).await.unwrap();
        let object = manifests::api_of(&client, namespace, &object, &resource).get(name).await.unwrap();
        serde_json::to_value(object).unwrap()
    };
    for (namespace, name) in [
        ("capm3-system", "capm3-controller-manager"),
        ("metal3-ipam-system", "ipam-controller-manager"),
        (NAMESPACE, "baremetal-operator-controller-manager"),
    ] {
        let pod = get("apps/v1", "Deployment", namespace, name).await["spec"]["template"]["spec"].clone();
        assert_eq!(pod["containers"][0]["image"], format!("registry.example/metal3:{VERSION}"), "{name}");
    }
    get("v1", "ConfigMap", NAMESPACE, "ironic").await;
    let secret = get("v1", "Secret", NAMESPACE, "ironic-credentials").await;
    let keys: Vec<_> = secret["data"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["password", "username"]);
    get("v1", "Secret", NAMESPACE, "ironic-cacert").await;
    bench.wipe().await.unwrap();
}
