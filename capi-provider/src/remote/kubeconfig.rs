//! Kubeconfigs of workload clusters, and what they may not do.

use k8s_openapi::api::core::v1::Secret;
use kit::pass::{Class, Fault};
use kube::config::{AuthInfo, Cluster as KubeconfigCluster, Kubeconfig};

/// Data key of the kubeconfig in its Secret.
pub const KUBECONFIG_KEY: &str = "value";

/// Why a kubeconfig cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KubeconfigError {
    /// There is no Secret yet.
    #[error("secret {0} does not exist yet; Cluster API makes it with the control plane")]
    NoSecret(String),
    /// The Secret has no kubeconfig.
    #[error("secret {0} has no data key \"value\" with a kubeconfig")]
    NoValue(String),
    /// It is not a kubeconfig.
    #[error("secret {0} does not hold a kubeconfig that can be read")]
    NotAKubeconfig(String),
    /// It would run a program or read a file of the controller's own container.
    #[error(
        "secret {secret} uses {field}, which would run a program or read a file here; put certificates, keys and tokens into the kubeconfig itself"
    )]
    ReachesOut {
        /// The Secret.
        secret: String,
        /// The field.
        field: &'static str,
    },
}

impl KubeconfigError {
    pub(super) fn fault(&self) -> Fault {
        let (class, reason) = match self {
            Self::NoSecret(_) => (Class::Backoff, "KubeconfigMissing"),
            Self::NoValue(_) | Self::NotAKubeconfig(_) => (Class::User, "KubeconfigInvalid"),
            Self::ReachesOut { .. } => (Class::User, "KubeconfigRefused"),
        };
        Fault::new(class, reason, self.to_string())
    }
}

/// The kubeconfig of a Secret, if it keeps to itself. Tenants may write such Secrets: a kubeconfig that runs a
/// program or names a file would act with this controller's rights.
pub(super) fn kubeconfig(name: &str, secret: &Secret) -> Result<Kubeconfig, KubeconfigError> {
    let bytes = secret.data.as_ref().and_then(|data| data.get(KUBECONFIG_KEY));
    let bytes = bytes.ok_or_else(|| KubeconfigError::NoValue(name.to_owned()))?;
    let unreadable = || KubeconfigError::NotAKubeconfig(name.to_owned());
    let text = std::str::from_utf8(&bytes.0).map_err(|_| unreadable())?;
    let parsed = Kubeconfig::from_yaml(text).map_err(|_| unreadable())?;
    let users = parsed.auth_infos.iter().filter_map(|user| user.auth_info.as_ref()).find_map(user_reaches_out);
    let clusters = parsed.clusters.iter().filter_map(|cluster| cluster.cluster.as_ref()).find_map(cluster_reaches_out);
    match users.or(clusters) {
        Some(field) => Err(KubeconfigError::ReachesOut { secret: name.to_owned(), field }),
        None => Ok(parsed),
    }
}

fn user_reaches_out(user: &AuthInfo) -> Option<&'static str> {
    let fields = [
        (user.exec.is_some(), "exec"),
        (user.auth_provider.is_some(), "auth-provider"),
        (user.token_file.is_some(), "tokenFile"),
        (user.client_certificate.is_some(), "client-certificate"),
        (user.client_key.is_some(), "client-key"),
    ];
    fields.into_iter().find_map(|(used, field)| used.then_some(field))
}

fn cluster_reaches_out(cluster: &KubeconfigCluster) -> Option<&'static str> {
    let fields = [
        (cluster.certificate_authority.is_some(), "certificate-authority"),
        (cluster.proxy_url.is_some(), "proxy-url"),
    ];
    fields.into_iter().find_map(|(used, field)| used.then_some(field))
}
