//! Certificates and kubeconfigs of a bench control plane: EC P-256 throughout, made in milliseconds.

use std::fs::{OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};
use serde_json::json;

use crate::command::Cmd;

/// The certificate authority of the cluster: signs serving and client certificates.
const CA: &str = "kubernetes-ca";
/// The authority of the aggregation layer.
const FRONT_PROXY_CA: &str = "front-proxy-ca";

/// File with the common name of the cluster's authority.
const CA_NAME: &str = "ca.name";

/// What a workload cluster's control plane is given instead of authorities of its own, all PEM.
#[derive(Clone)]
pub struct Given {
    /// Certificate of the cluster's authority.
    pub ca_certificate: String,
    /// Its key; any form that openssl reads.
    pub ca_key: String,
    /// Its common name.
    pub ca_name: String,
    /// Public key of service account tokens.
    pub account_public: String,
    /// Private key of service account tokens.
    pub account_private: String,
    /// Certificate of the aggregation layer's authority.
    pub front_proxy: String,
}

impl std::fmt::Debug for Given {
    /// Without the keys.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Given").field("ca_name", &self.ca_name).finish_non_exhaustive()
    }
}

/// A folder of certificates (`NAME.crt`), keys (`NAME.key`) and kubeconfigs (`NAME.kubeconfig`).
#[derive(Debug, Clone)]
pub struct Pki {
    dir: PathBuf,
}

/// Whether a certificate is for a server or for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// TLS server.
    Server,
    /// TLS client.
    Client,
}

impl Pki {
    /// Makes the authorities, the service account key and the certificates every control plane needs. `names` are the
    /// addresses and host names under which the API server is reached, beside the usual in-cluster ones. With `given`
    /// the authorities and the account key are those.
    pub async fn create(dir: &Path, names: &[String], given: Option<&Given>) -> Result<Self> {
        std::fs::create_dir_all(dir)?;
        std::fs::set_permissions(dir, Permissions::from_mode(0o700))?;
        let pki = Self { dir: dir.to_owned() };
        match given {
            Some(given) => pki.adopt(given).await?,
            None => pki.invent()?,
        }
        let in_cluster = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "10.96.0.1"];
        let serving: Vec<String> = in_cluster.iter().map(ToString::to_string).chain(names.iter().cloned()).collect();
        pki.leaf("apiserver", "kube-apiserver", None, Purpose::Server, &serving)?;
        pki.leaf("webhook", "webhook", None, Purpose::Server, names)?;
        pki.client("apiserver-kubelet-client", "kube-apiserver-kubelet-client", Some("system:masters"))?;
        pki.client("admin", "admin", Some("system:masters"))?;
        pki.client("kcm", "system:kube-controller-manager", None)?;
        Ok(pki)
    }

    fn invent(&self) -> Result<()> {
        self.write(CA_NAME, CA)?;
        self.authority("ca", CA)?;
        self.authority("front-proxy-ca", FRONT_PROXY_CA)?;
        let account = KeyPair::generate()?;
        self.write("sa.key", &account.serialize_pem())?;
        self.write("sa.pub", &account.public_key_pem())
    }

    async fn adopt(&self, given: &Given) -> Result<()> {
        self.write(CA_NAME, &given.ca_name)?;
        self.write("ca.crt", &given.ca_certificate)?;
        self.write("sa.key", &given.account_private)?;
        self.write("sa.pub", &given.account_public)?;
        self.write("front-proxy-ca.crt", &given.front_proxy)?;
        // Cluster API writes the older forms (RSA PRIVATE KEY, EC PRIVATE KEY), which the signer here does not read.
        let convert = Cmd::new("openssl").args(["pkcs8", "-topk8", "-nocrypt"]).stdin(given.ca_key.clone());
        self.write("ca.key", &convert.output().await.context("converting the key of the authority")?)
    }

    /// The folder of an earlier [`Pki::create`].
    pub fn open(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// The path of a file in the folder.
    pub fn path(&self, file: &str) -> PathBuf {
        self.dir.join(file)
    }

    /// The content of a file in the folder.
    pub fn read(&self, file: &str) -> Result<String> {
        let path = self.path(file);
        std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
    }

    /// The cluster's authority as webhook configurations want it: base64 of the PEM text.
    pub fn ca_bundle(&self) -> Result<String> {
        Ok(STANDARD.encode(self.read("ca.crt")?))
    }

    /// A client certificate with a user name and, optionally, a group.
    pub fn client(&self, file: &str, user: &str, group: Option<&str>) -> Result<()> {
        self.leaf(file, user, group, Purpose::Client, &[])
    }

    /// A certificate signed by the cluster's authority.
    pub fn leaf(
        &self,
        file: &str,
        common_name: &str,
        organization: Option<&str>,
        purpose: Purpose,
        names: &[String],
    ) -> Result<()> {
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = name(common_name, organization);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![match purpose {
            Purpose::Server => ExtendedKeyUsagePurpose::ServerAuth,
            Purpose::Client => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        let ca_key = KeyPair::from_pem(&self.read("ca.key")?)?;
        let issuer = Issuer::new(authority_params(&self.read(CA_NAME)?)?, ca_key);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &issuer)?;
        self.write(&format!("{file}.crt"), &certificate.pem())?;
        self.write(&format!("{file}.key"), &key.serialize_pem())
    }

    /// A kubeconfig for a client certificate that exists; everything is inside the one file.
    pub fn kubeconfig(&self, file: &str, server: &str) -> Result<PathBuf> {
        let encoded = |file: &str| self.read(file).map(|text| STANDARD.encode(text));
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "bench",
            "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": file}}],
            "clusters": [{"name": "bench", "cluster": {
                "server": server, "certificate-authority-data": encoded("ca.crt")?,
            }}],
            "users": [{"name": file, "user": {
                "client-certificate-data": encoded(&format!("{file}.crt"))?,
                "client-key-data": encoded(&format!("{file}.key"))?,
            }}],
        });
        self.write(&format!("{file}.kubeconfig"), &serde_saphyr::to_string(&config)?)?;
        Ok(self.path(&format!("{file}.kubeconfig")))
    }

    fn authority(&self, file: &str, common_name: &str) -> Result<()> {
        let key = KeyPair::generate()?;
        let certificate = authority_params(common_name)?.self_signed(&key)?;
        self.write(&format!("{file}.crt"), &certificate.pem())?;
        self.write(&format!("{file}.key"), &key.serialize_pem())
    }

    /// Readable by the owner only, from the first moment on.
    fn write(&self, file: &str, text: &str) -> Result<()> {
        let path = self.path(file);
        let mut out = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        out.write_all(text.as_bytes()).with_context(|| format!("writing {}", path.display()))
    }
}

fn authority_params(common_name: &str) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new())?;
    // The issuer in a leaf must equal the authority's subject byte for byte, and Go writes names in this form.
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, DnValue::PrintableString(common_name.try_into()?));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    Ok(params)
}

fn name(common_name: &str, organization: Option<&str>) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    if let Some(organization) = organization {
        name.push(DnType::OrganizationName, organization);
    }
    name.push(DnType::CommonName, common_name);
    name
}
