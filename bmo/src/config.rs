//! How the operator was started: the environment variables of the Go peer, under the same names and with the same
//! defaults. Everything is checked once, at start-up.

use std::path::PathBuf;
use std::time::Duration;

use ironic::{Auth, Source, Tls};

use crate::node::ramdisk::Defaults;

/// Where the peer's deployment mounts the certificate authority of Ironic.
const CA_FILE: &str = "/opt/metal3/certs/ca/tls.crt";
/// Where it mounts our own certificate.
const CLIENT_CERT_FILE: &str = "/opt/metal3/certs/client/tls.crt";
/// Where it mounts the key of our own certificate.
const CLIENT_KEY_FILE: &str = "/opt/metal3/certs/client/tls.key";
/// Where it mounts user name and password of Ironic, in the folder `ironic`.
const AUTH_ROOT: &str = "/opt/metal3/auth";

/// The operator's settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// How to reach Ironic.
    pub ironic: ironic::Config,
    /// Which ramdisk a machine boots for work on it, when nothing better is known.
    pub ramdisk: Defaults,
    /// How many hosts Ironic works on at a time, of those that boot over the provisioning network.
    pub provisioning_limit: usize,
    /// How often one image may fail on one host before it is left alone; 0 means for ever.
    pub max_provisioning_retries: i64,
    /// Drivers that need a provisioning network are refused.
    pub provisioning_network_disabled: bool,
    /// Base URL of our HTTP server for management controllers with an IPv6 address.
    pub external_url_v6: Option<String>,
    /// `driver_info.force_persistent_boot_device` of a live ISO: `Default`, `Always` or `Never`.
    pub live_iso_boot_device: String,
    /// The same of a written image.
    pub direct_deploy_boot_device: String,
    /// Passes at once.
    pub concurrency: usize,
}

/// A setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Nothing tells where Ironic is.
    #[error("IRONIC_ENDPOINT is not set: give the base URL of the Ironic API, e.g. https://ironic.example:6385")]
    NoEndpoint,
    /// A variable does not have the form it must have.
    #[error("{variable}={value:?} is not {wanted}")]
    Malformed {
        /// Name of the variable.
        variable: &'static str,
        /// What it holds.
        value: String,
        /// What it should hold.
        wanted: &'static str,
    },
    /// One half of a pair is missing.
    #[error("DEPLOY_KERNEL_URL and DEPLOY_RAMDISK_URL belong together: set both or none")]
    HalfRamdisk,
    /// A credential file is empty.
    #[error("the file {} is empty: it must hold Ironic's user name or password", .0.display())]
    EmptyCredential(PathBuf),
}

impl Config {
    /// Settings for one Ironic without authentication, as tests and demonstrations use it.
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self {
            ironic: ironic::Config::new(endpoint),
            ramdisk: Defaults::default(),
            provisioning_limit: 20,
            max_provisioning_retries: 5,
            provisioning_network_disabled: false,
            external_url_v6: None,
            live_iso_boot_device: "Default".into(),
            direct_deploy_boot_device: "Default".into(),
            concurrency: CONCURRENCY,
        }
    }

    /// Reads the environment through `var`, which answers the value of a variable.
    pub fn from_env(var: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let var = |name: &str| var(name).filter(|value| !value.is_empty());
        let mut config = Self::new(var("IRONIC_ENDPOINT").ok_or(ConfigError::NoEndpoint)?);
        config.ironic.auth = auth(&var)?;
        config.ironic.tls = tls(&var);
        if let Some(text) = var("IRONIC_CLIENT_TIMEOUT") {
            config.ironic.timeout = duration("IRONIC_CLIENT_TIMEOUT", text)?;
        }
        config.ramdisk = Defaults {
            kernel: var("DEPLOY_KERNEL_URL"),
            ramdisk: var("DEPLOY_RAMDISK_URL"),
            iso: var("DEPLOY_ISO_URL"),
        };
        if config.ramdisk.kernel.is_some() != config.ramdisk.ramdisk.is_some() {
            return Err(ConfigError::HalfRamdisk);
        }
        if let Some(text) = var("PROVISIONING_LIMIT") {
            config.provisioning_limit = number("PROVISIONING_LIMIT", text)?;
        }
        if let Some(text) = var("BMO_CONCURRENCY") {
            config.concurrency = number::<usize>("BMO_CONCURRENCY", text)?.max(1);
        }
        config.provisioning_network_disabled = is_true(var("PROVISIONING_NETWORK_DISABLED"));
        config.external_url_v6 = var("IRONIC_EXTERNAL_URL_V6");
        config.live_iso_boot_device = boot_device("LIVE_ISO_FORCE_PERSISTENT_BOOT_DEVICE", &var)?;
        config.direct_deploy_boot_device = boot_device("DIRECT_DEPLOY_FORCE_PERSISTENT_BOOT_DEVICE", &var)?;
        Ok(config)
    }
}

/// The most that the peer does without a flag, however few the processors: a pass mostly waits for answers of the API
/// server and of Ironic.
const CONCURRENCY: usize = 8;

fn is_true(value: Option<String>) -> bool {
    value.is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

fn auth(var: &impl Fn(&str) -> Option<String>) -> Result<Auth, ConfigError> {
    let root = var("METAL3_AUTH_ROOT_DIR").map_or_else(|| PathBuf::from(AUTH_ROOT), PathBuf::from).join("ironic");
    // An optional Secret that is not there is mounted as an empty folder.
    if !["username", "password"].iter().any(|name| root.join(name).exists()) {
        return Ok(Auth::None);
    }
    let file = |name: &str| {
        let path = root.join(name);
        let empty = std::fs::read_to_string(&path).is_ok_and(|text| text.trim().is_empty());
        if empty { Err(ConfigError::EmptyCredential(path)) } else { Ok(Source::File(path)) }
    };
    Ok(Auth::Basic { username: file("username")?, password: file("password")? })
}

/// Files that are not there are not used: they are optional mounts.
fn tls(var: &impl Fn(&str) -> Option<String>) -> Tls {
    let file = |name: &str, default: &str| {
        let path = PathBuf::from(var(name).unwrap_or_else(|| default.to_owned()));
        path.is_file().then_some(Source::File(path))
    };
    let certificate = file("IRONIC_CLIENT_CERT_FILE", CLIENT_CERT_FILE);
    let key = file("IRONIC_CLIENT_PRIVATE_KEY_FILE", CLIENT_KEY_FILE);
    Tls {
        authorities: file("IRONIC_CACERT_FILE", CA_FILE),
        identity: certificate.zip(key),
        insecure: is_true(var("IRONIC_INSECURE")),
    }
}

fn number<T: std::str::FromStr>(variable: &'static str, value: String) -> Result<T, ConfigError> {
    value.parse().map_err(|_| ConfigError::Malformed { variable, value, wanted: "a whole number of at least 0" })
}

fn duration(variable: &'static str, value: String) -> Result<Duration, ConfigError> {
    match kit::args::duration(&value) {
        Ok(length) if !length.is_zero() => Ok(length),
        Ok(_) | Err(_) => Err(ConfigError::Malformed { variable, value, wanted: "a duration above 0 such as 30s" }),
    }
}

fn boot_device(variable: &'static str, var: &impl Fn(&str) -> Option<String>) -> Result<String, ConfigError> {
    let value = var(variable).unwrap_or_else(|| "Default".into());
    if matches!(value.as_str(), "Default" | "Always" | "Never") {
        return Ok(value);
    }
    Err(ConfigError::Malformed { variable, value, wanted: "Default, Always or Never" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::from_env(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    const ENDPOINT: (&str, &str) = ("IRONIC_ENDPOINT", "http://ironic:6385");

    #[test]
    fn defaults_are_the_peers() {
        let config = from(&[ENDPOINT]).unwrap();
        assert_eq!(config.provisioning_limit, 20);
        assert_eq!(config.ironic.timeout, Duration::from_secs(30));
        assert_eq!(config.live_iso_boot_device, "Default");
        assert_eq!(config.ramdisk, Defaults::default());
        assert!(matches!(config.ironic.auth, Auth::None));
    }

    #[test]
    fn a_secret_that_is_not_there_is_no_credential() {
        let root = std::env::temp_dir().join(format!("bmo-auth-{}", std::process::id()));
        let folder = root.join("ironic");
        std::fs::create_dir_all(&folder).unwrap();
        let variable = root.to_str().unwrap().to_owned();
        let read = || from(&[ENDPOINT, ("METAL3_AUTH_ROOT_DIR", &variable)]);
        assert!(matches!(read().unwrap().ironic.auth, Auth::None), "an empty mount");
        std::fs::write(folder.join("username"), "admin").unwrap();
        assert!(matches!(read().unwrap().ironic.auth, Auth::Basic { .. }), "the password is missed when it is needed");
        std::fs::write(folder.join("password"), " ").unwrap();
        assert!(matches!(read().unwrap_err(), ConfigError::EmptyCredential(path) if path.ends_with("password")));
        std::fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn what_is_wrong_names_its_variable() {
        assert_eq!(from(&[]).unwrap_err(), ConfigError::NoEndpoint);
        assert_eq!(from(&[ENDPOINT, ("DEPLOY_KERNEL_URL", "http://k")]).unwrap_err(), ConfigError::HalfRamdisk);
        for (variable, value) in [
            ("PROVISIONING_LIMIT", "many"),
            ("IRONIC_CLIENT_TIMEOUT", "30"),
            ("IRONIC_CLIENT_TIMEOUT", "0s"),
            ("LIVE_ISO_FORCE_PERSISTENT_BOOT_DEVICE", "always"),
        ] {
            let error = from(&[ENDPOINT, (variable, value)]).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{variable}={value:?}")), "{error}");
        }
    }

    #[test]
    fn durations_have_the_peers_form() {
        for (text, millis) in [("30s", 30_000), ("1m30s", 90_000), ("1.5s", 1500), ("500ms", 500)] {
            let config = from(&[ENDPOINT, ("IRONIC_CLIENT_TIMEOUT", text)]).unwrap();
            assert_eq!(config.ironic.timeout, Duration::from_millis(millis));
        }
    }
}
