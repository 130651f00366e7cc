//! What a node boots for inspection, cleaning and deployment: an ISO, or a kernel with a ramdisk.

use ironic::{Node, Patch};

const KEYS: [&str; 4] = ["deploy_iso", "deploy_kernel", "deploy_ramdisk", "kernel_append_params"];

/// A ramdisk to boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ramdisk {
    /// A bootable ISO.
    Iso {
        /// Where it is.
        url: String,
    },
    /// A kernel and its ramdisk.
    KernelAndRamdisk {
        /// Where the kernel is.
        kernel: String,
        /// Where the ramdisk is.
        ramdisk: String,
        /// Kernel parameters to add to Ironic's own.
        extra_params: Option<String>,
    },
}

/// The ramdisks that this operator was given for all hosts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Defaults {
    /// Kernel.
    pub kernel: Option<String>,
    /// Ramdisk.
    pub ramdisk: Option<String>,
    /// ISO, for drivers that can boot one; wins over the other two.
    pub iso: Option<String>,
}

/// A ramdisk built for one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Built {
    /// An ISO.
    Iso {
        /// Where it is.
        url: String,
    },
    /// A ramdisk.
    Initrd {
        /// Where it is.
        url: String,
        /// Its kernel; the operator's when absent.
        kernel: Option<String>,
        /// Kernel parameters to add.
        extra_params: Option<String>,
    },
}

/// Chooses the ramdisk: the one built for the host, else the operator's. `None` leaves the node's settings alone, so
/// that Ironic's own apply. `takes_iso`: whether the driver boots ISOs.
pub fn choose(builder: bool, built: Option<&Built>, defaults: &Defaults, takes_iso: bool) -> Option<Ramdisk> {
    match (builder, built) {
        (_, Some(Built::Iso { url })) => takes_iso.then(|| Ramdisk::Iso { url: url.clone() }),
        (_, Some(Built::Initrd { url, kernel, extra_params })) => Some(Ramdisk::KernelAndRamdisk {
            kernel: kernel.clone().or_else(|| defaults.kernel.clone())?,
            ramdisk: url.clone(),
            extra_params: extra_params.clone(),
        }),
        (true, None) => None,
        (false, None) => match (&defaults.iso, &defaults.kernel, &defaults.ramdisk) {
            (Some(iso), _, _) if takes_iso => Some(Ramdisk::Iso { url: iso.clone() }),
            (_, Some(kernel), Some(ramdisk)) => {
                Some(Ramdisk::KernelAndRamdisk { kernel: kernel.clone(), ramdisk: ramdisk.clone(), extra_params: None })
            }
            _ => None,
        },
    }
}

/// Makes the node boot the ramdisk; keys of the other kind are removed.
pub fn patch(node: &Node, ramdisk: &Ramdisk) -> Patch {
    let [iso, kernel, initrd, params] = match ramdisk {
        Ramdisk::Iso { url } => [Some(url.clone()), None, None, None],
        Ramdisk::KernelAndRamdisk { kernel, ramdisk, extra_params } => {
            // Without the marker Ironic's own parameters would be lost.
            let params = extra_params.as_deref().map(str::trim).filter(|extra| !extra.is_empty());
            let params = params.map(|extra| format!("%default% {extra}"));
            [None, Some(kernel.clone()), Some(ramdisk.clone()), params]
        }
    };
    KEYS.into_iter().zip([iso, kernel, initrd, params]).fold(Patch::new(), |patch, (key, value)| {
        patch.ensure(&["driver_info", key], node.driver_info.get(key), value.map(Into::into))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ironic::Info;

    fn iso(url: &str) -> Ramdisk {
        Ramdisk::Iso { url: url.into() }
    }
    fn pair(kernel: &str, ramdisk: &str) -> Ramdisk {
        Ramdisk::KernelAndRamdisk { kernel: kernel.into(), ramdisk: ramdisk.into(), extra_params: None }
    }

    #[test]
    fn choice() {
        let all = Defaults { kernel: Some("k".into()), ramdisk: Some("r".into()), iso: Some("i".into()) };
        let no_iso = Defaults { iso: None, ..all.clone() };
        let nothing = Defaults::default();
        let built_iso = Built::Iso { url: "bi".into() };
        let initrd = Built::Initrd { url: "br".into(), kernel: None, extra_params: None };
        let own_kernel = Built::Initrd { url: "br".into(), kernel: Some("bk".into()), extra_params: None };
        let table = [
            (false, None, &all, true, Some(iso("i"))),
            (false, None, &all, false, Some(pair("k", "r"))),
            (false, None, &no_iso, true, Some(pair("k", "r"))),
            (false, None, &nothing, true, None),
            (true, None, &all, true, None),
            (true, Some(&built_iso), &all, true, Some(iso("bi"))),
            (true, Some(&built_iso), &all, false, None),
            (true, Some(&initrd), &all, true, Some(pair("k", "br"))),
            (true, Some(&initrd), &nothing, true, None),
            (true, Some(&own_kernel), &nothing, false, Some(pair("bk", "br"))),
        ];
        for (row, (builder, built, defaults, takes_iso, wanted)) in table.into_iter().enumerate() {
            assert_eq!(choose(builder, built, defaults, takes_iso), wanted, "row {row}");
        }
    }

    #[test]
    fn old_keys_go() {
        let node = Node {
            driver_info: [("deploy_iso", "old"), ("redfish_address", "https://bmc")].into_iter().collect::<Info>(),
            ..Node::default()
        };
        let wanted = Ramdisk::KernelAndRamdisk {
            kernel: "k".into(),
            ramdisk: "r".into(),
            extra_params: Some("ip=dhcp ".into()),
        };
        let expected = Patch::new()
            .remove(&["driver_info", "deploy_iso"])
            .set(&["driver_info", "deploy_kernel"], "k")
            .set(&["driver_info", "deploy_ramdisk"], "r")
            .set(&["driver_info", "kernel_append_params"], "%default% ip=dhcp");
        assert_eq!(patch(&node, &wanted), expected);
        assert_eq!(patch(&node, &iso("new")), Patch::new().set(&["driver_info", "deploy_iso"], "new"));
        assert!(patch(&node, &iso("old")).is_empty());
    }
}
