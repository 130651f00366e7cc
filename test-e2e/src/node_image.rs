//! Disk images of Kubernetes machines: Debian, containerd, kubelet, kubeadm, real cloud-init, preloaded containers.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::assets::{self, Asset};
use crate::cache::{Cache, Place};
use crate::command::Cmd;
use crate::oci::{Archive, Content};
use crate::versions::{KUBEADM_ETCD_TAG, KUBEADM_PAUSE_TAG, KUBERNETES};
use crate::{apt, debian, gobuild};

/// What a machine of the image is for. A smaller image is deployed faster, so each role has its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Joins a cluster: only the pause container is preloaded.
    Worker,
    /// Also runs etcd and the control plane's static pods, all preloaded.
    ControlPlane,
}

impl Role {
    /// Name in files and URLs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::ControlPlane => "control-plane",
        }
    }
}

/// A finished image.
#[derive(Debug, Clone)]
pub struct Built {
    /// Compressed qcow2 file.
    pub file: PathBuf,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
}

/// Debian packages of a machine. `python3-cffi-backend` is named because debootstrap does not follow the virtual
/// package through which cloud-init's cryptography needs it.
const PACKAGES: &[&str] = &[
    "ca-certificates",
    "cloud-guest-utils",
    "cloud-init",
    "conntrack",
    "containerd",
    "containernetworking-plugins",
    "dbus",
    "e2fsprogs",
    "ebtables",
    "ethtool",
    "gdisk",
    "initramfs-tools",
    "iproute2",
    "iptables",
    "iputils-ping",
    "kmod",
    "linux-image-cloud-amd64",
    "mount",
    "parted",
    "procps",
    "python3-cffi-backend",
    "python3-minimal",
    "python3-yaml",
    "runc",
    "socat",
    "systemd",
    "systemd-sysv",
    "udev",
    "util-linux",
    "zstd",
];

const BUILD: &[Asset] = &[
    ("build.sh", include_str!("../assets/node/build.sh")),
    ("cloud.cfg", include_str!("../assets/node/cloud.cfg")),
    ("containerd.toml", include_str!("../assets/node/containerd.toml")),
    ("kubelet.service", include_str!("../assets/node/kubelet.service")),
    ("kubeadm.conf", include_str!("../assets/node/kubeadm.conf")),
    ("network.conflist", include_str!("../assets/node/network.conflist")),
    ("masked-units", include_str!("../assets/node/masked-units")),
    ("unused-modules", include_str!("../assets/node/unused-modules")),
];

/// The pause container's program.
const PAUSE: &str = include_str!("../assets/node/pause.go");

/// The image of a role, built when this machine does not have it yet.
pub async fn build(cache: &Cache, role: Role) -> Result<Built> {
    let kubernetes = gobuild::kubernetes(cache).await?;
    let etcd = gobuild::etcd(cache).await?;
    let base = debian::tree(cache, "node-base", PACKAGES).await?;
    // The names of these folders hold the hashes of their own recipes.
    let recipe = format!(
        "{}\n{PAUSE}\n{} {} {}\n{KUBEADM_ETCD_TAG} {KUBEADM_PAUSE_TAG}",
        assets::recipe(BUILD),
        file_name(&kubernetes),
        file_name(&etcd),
        PACKAGES.join(" ")
    );
    let name = format!("node-image-{}", role.name());
    let dir = cache
        .entry(&name, KUBERNETES, &recipe, async |place: &Place| {
            apt::ensure(&[
                "dosfstools",
                "e2fsprogs",
                "gdisk",
                "grub-common",
                "grub-efi-amd64-bin",
                "kmod",
                "mtools",
                "qemu-utils",
                "syslinux",
                "syslinux-common",
            ])
            .await?;
            let scripts = place.dir.join("recipe");
            assets::unpack(&scripts, BUILD)?;
            let images = place.dir.join("images");
            std::fs::create_dir_all(&images)?;
            write_images(&images, role, &kubernetes, &etcd).await?;
            Cmd::new("nice")
                .arg(scripts.join("build.sh"))
                .arg(role.name())
                .args([&base, &kubernetes, &images, &place.dir])
                .log(&place.log)
                .limit(Duration::from_mins(40))
                .run()
                .await?;
            let sum = Cmd::new("sha256sum").arg(place.dir.join("disk.qcow2")).output().await?;
            let sum = sum.split_whitespace().next().context("sha256sum printed nothing")?;
            std::fs::write(place.dir.join("disk.qcow2.sha256"), sum)?;
            std::fs::remove_dir_all(&images)?;
            Ok(())
        })
        .await?;
    let sha256 = std::fs::read_to_string(dir.join("disk.qcow2.sha256"))?;
    Ok(Built { file: dir.join("disk.qcow2"), sha256 })
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The containers that kubeadm starts, as OCI archives made from our own binaries; no registry is asked at run time.
async fn write_images(dir: &Path, role: Role, kubernetes: &Path, etcd: &Path) -> Result<()> {
    let pause = build_pause(dir).await?;
    let write = |name: &str, reference: String, entry: &str, program: &Path, target: &str| {
        let entry = if entry.is_empty() { Vec::new() } else { vec![entry.to_owned()] };
        let content = [Content::program(program, target)?];
        Archive { reference, entrypoint: entry }.write(&dir.join(format!("{name}.tar")), &content)
    };
    let registry = "registry.k8s.io";
    write("pause", format!("{registry}/pause:{KUBEADM_PAUSE_TAG}"), "/pause", &pause, "pause")?;
    std::fs::remove_file(&pause)?;
    if role == Role::ControlPlane {
        write("etcd", format!("{registry}/etcd:{KUBEADM_ETCD_TAG}"), "", &etcd.join("etcd"), "usr/local/bin/etcd")?;
        for part in ["kube-apiserver", "kube-controller-manager", "kube-scheduler"] {
            let reference = format!("{registry}/{part}:{KUBERNETES}");
            write(part, reference, "", &kubernetes.join(part), &format!("usr/local/bin/{part}"))?;
        }
    }
    Ok(())
}

async fn build_pause(dir: &Path) -> Result<PathBuf> {
    let source = dir.join("pause.go");
    std::fs::write(&source, PAUSE)?;
    let output = dir.join("pause");
    Cmd::new("go")
        .args(["build", "-trimpath", "-ldflags", "-s -w", "-o"])
        .arg(&output)
        .arg(&source)
        .env("CGO_ENABLED", "0")
        .env("GOFLAGS", "")
        .run()
        .await?;
    std::fs::remove_file(&source)?;
    Ok(output)
}
