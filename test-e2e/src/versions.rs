//! Every version the bench pins, in one place. Raise them together and run the whole bench afterwards.

/// Kubernetes, as its Go module names it: API server, controller manager, scheduler, kubelet, kubeadm, kubectl.
pub const KUBERNETES: &str = "v1.36.3";

/// The staging modules of that Kubernetes (`k8s.io/api` and its siblings) carry the same number with a leading zero.
pub const KUBERNETES_STAGING: &str = "v0.36.3";

/// etcd of the management cluster (kubeadm brings its own number for machines, see [`KUBEADM_ETCD_TAG`]).
pub const ETCD: &str = "v3.7.3";

/// Cluster API core, kubeadm bootstrap and control plane providers, and clusterctl.
pub const CLUSTER_API: &str = "v1.14.2";

/// cert-manager, the version which that clusterctl expects.
pub const CERT_MANAGER: &str = "v1.21.1";

/// Tag under which kubeadm of [`KUBERNETES`] looks for the etcd image on a machine.
pub const KUBEADM_ETCD_TAG: &str = "3.6.8-0";

/// Tag under which kubeadm of [`KUBERNETES`] looks for the pause image on a machine.
pub const KUBEADM_PAUSE_TAG: &str = "3.10.2";

/// Ironic from the Python package index.
pub const IRONIC: &str = "39.0.0";

/// The deploy agent from the Python package index.
pub const IRONIC_PYTHON_AGENT: &str = "13.0.0";

/// Debian release of the machines' images and of the package names used here.
pub const DEBIAN: &str = "bookworm";

/// The staging modules of Kubernetes: its module file points at folders of its own repository for them, which a
/// module that only requires Kubernetes has to turn into published modules.
pub const KUBERNETES_STAGING_MODULES: [&str; 33] = [
    "api",
    "apiextensions-apiserver",
    "apimachinery",
    "apiserver",
    "cli-runtime",
    "client-go",
    "cloud-provider",
    "cluster-bootstrap",
    "code-generator",
    "component-base",
    "component-helpers",
    "controller-manager",
    "cri-api",
    "cri-client",
    "cri-streaming",
    "csi-translation-lib",
    "dynamic-resource-allocation",
    "endpointslice",
    "externaljwt",
    "kms",
    "kube-aggregator",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubectl",
    "kubelet",
    "metrics",
    "mount-utils",
    "pod-security-admission",
    "sample-apiserver",
    "sample-cli-plugin",
    "sample-controller",
    "streaming",
];
