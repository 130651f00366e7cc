//! Access types: which Ironic driver and which of its interfaces a scheme means.

/// The scheme of a management controller's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccessType {
    /// IPMI, network boot.
    Ipmi,
    /// IPMI of an emulated machine: the boot MAC address is always needed.
    Libvirt,
    /// Redfish, network boot.
    Redfish,
    /// Redfish of an HPE iLO 5, network boot.
    Ilo5Redfish,
    /// Redfish of a Dell iDRAC, network boot.
    IdracRedfish,
    /// Redfish, virtual media.
    RedfishVirtualMedia,
    /// Redfish of an HPE iLO 5, virtual media.
    Ilo5VirtualMedia,
    /// Redfish of a Dell iDRAC, virtual media.
    IdracVirtualMedia,
    /// Redfish, UEFI's own HTTP boot.
    RedfishUefiHttp,
}

/// Protocol of an access type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPMI over UDP.
    Ipmi,
    /// Redfish over HTTP.
    Redfish,
}

/// Driver and interfaces of an Ironic node. None leaves the choice to Ironic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interfaces {
    /// Driver.
    pub driver: &'static str,
    /// Boot interface.
    pub boot: &'static str,
    /// BIOS interface.
    pub bios: Option<&'static str>,
    /// Firmware interface.
    pub firmware: Option<&'static str>,
    /// Interface of the inspection that does not boot the machine; None when there is no such inspection.
    pub fast_inspection: Option<&'static str>,
    /// Management interface.
    pub management: Option<&'static str>,
    /// Power interface.
    pub power: Option<&'static str>,
    /// RAID interface.
    pub raid: &'static str,
    /// Vendor interface.
    pub vendor: Option<&'static str>,
}

const IPMI: Interfaces = Interfaces {
    driver: "ipmi",
    boot: "ipxe",
    bios: None,
    firmware: None,
    fast_inspection: None,
    management: None,
    power: None,
    raid: "no-raid",
    vendor: None,
};

const REDFISH: Interfaces = Interfaces {
    driver: "redfish",
    boot: "ipxe",
    firmware: Some("redfish"),
    fast_inspection: Some("redfish"),
    raid: "redfish",
    ..IPMI
};

const IDRAC: Interfaces = Interfaces {
    driver: "idrac",
    bios: Some("idrac-redfish"),
    management: Some("idrac-redfish"),
    power: Some("idrac-redfish"),
    raid: "idrac-redfish",
    vendor: Some("idrac-redfish"),
    ..REDFISH
};

impl AccessType {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Ipmi,
        Self::Libvirt,
        Self::Redfish,
        Self::Ilo5Redfish,
        Self::IdracRedfish,
        Self::RedfishVirtualMedia,
        Self::Ilo5VirtualMedia,
        Self::IdracVirtualMedia,
        Self::RedfishUefiHttp,
    ];

    /// The scheme, without `+http`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ipmi => "ipmi",
            Self::Libvirt => "libvirt",
            Self::Redfish => "redfish",
            Self::Ilo5Redfish => "ilo5-redfish",
            Self::IdracRedfish => "idrac-redfish",
            Self::RedfishVirtualMedia => "redfish-virtualmedia",
            Self::Ilo5VirtualMedia => "ilo5-virtualmedia",
            Self::IdracVirtualMedia => "idrac-virtualmedia",
            Self::RedfishUefiHttp => "redfish-uefihttp",
        }
    }

    /// The access type of a scheme without `+http`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|access| access.name() == name)
    }

    /// Its protocol.
    pub fn family(self) -> Family {
        match self {
            Self::Ipmi | Self::Libvirt => Family::Ipmi,
            Self::Redfish
            | Self::Ilo5Redfish
            | Self::IdracRedfish
            | Self::RedfishVirtualMedia
            | Self::Ilo5VirtualMedia
            | Self::IdracVirtualMedia
            | Self::RedfishUefiHttp => Family::Redfish,
        }
    }

    /// Driver and interfaces of the Ironic node.
    pub fn interfaces(self) -> Interfaces {
        match self {
            Self::Ipmi | Self::Libvirt => IPMI,
            Self::Redfish | Self::Ilo5Redfish => REDFISH,
            Self::IdracRedfish => IDRAC,
            Self::RedfishVirtualMedia | Self::Ilo5VirtualMedia => {
                Interfaces { boot: "redfish-virtual-media", ..REDFISH }
            }
            Self::IdracVirtualMedia => Interfaces { boot: "idrac-redfish-virtual-media", ..IDRAC },
            Self::RedfishUefiHttp => Interfaces { boot: "redfish-https", ..REDFISH },
        }
    }

    /// Whether it boots an ISO instead of a kernel and a ramdisk.
    pub fn boots_iso(self) -> bool {
        match self {
            Self::RedfishVirtualMedia | Self::Ilo5VirtualMedia | Self::IdracVirtualMedia | Self::RedfishUefiHttp => {
                true
            }
            Self::Ipmi | Self::Libvirt | Self::Redfish | Self::Ilo5Redfish | Self::IdracRedfish => false,
        }
    }

    /// Whether it needs a network with Ironic's DHCP; those that boot an ISO do not.
    pub fn needs_provisioning_network(self) -> bool {
        !self.boots_iso()
    }

    /// Whether it can switch secure boot.
    pub fn supports_secure_boot(self) -> bool {
        self.family() == Family::Redfish
    }

    /// Whether it can make hardware RAID volumes.
    pub fn supports_raid(self) -> bool {
        self.interfaces().raid != "no-raid"
    }

    /// Whether the hardware can be found out without booting.
    pub fn supports_fast_inspection(self) -> bool {
        self.interfaces().fast_inspection.is_some()
    }

    /// Whether the boot MAC address is needed even if the hardware is inspected.
    pub fn always_needs_mac(self) -> bool {
        self == Self::Libvirt
    }
}

impl std::fmt::Display for AccessType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
