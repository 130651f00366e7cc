//! What can go wrong with a host: the kinds on the wire, their counters, and how long we wait before the next try.

use std::time::Duration;

/// The kind of an error, `status.errorType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorKind {
    /// A running host could not be taken over again by Ironic.
    ProvisionedRegistration,
    /// The management controller cannot be used: address, credentials, or the driver's demands.
    Registration,
    /// The hardware could not be inspected.
    Inspection,
    /// Firmware or RAID settings could not be applied.
    Preparation,
    /// The image could not be written or removed.
    Provisioning,
    /// The machine could not be switched on or off.
    PowerManagement,
    /// Firmware of a running host could not be changed.
    Servicing,
    /// The host could not be released from Ironic.
    Detach,
}

/// Every kind.
pub const KINDS: [ErrorKind; 8] = [
    ErrorKind::ProvisionedRegistration,
    ErrorKind::Registration,
    ErrorKind::Inspection,
    ErrorKind::Preparation,
    ErrorKind::Provisioning,
    ErrorKind::PowerManagement,
    ErrorKind::Servicing,
    ErrorKind::Detach,
];

impl ErrorKind {
    /// The word on the wire, and the reason of the event (also the metric label).
    fn row(self) -> (&'static str, &'static str) {
        match self {
            Self::ProvisionedRegistration => ("provisioned registration error", "ProvisionedRegistrationError"),
            Self::Registration => ("registration error", "RegistrationError"),
            Self::Inspection => ("inspection error", "InspectionError"),
            Self::Preparation => ("preparation error", "PreparationError"),
            Self::Provisioning => ("provisioning error", "ProvisioningError"),
            Self::PowerManagement => ("power management error", "PowerManagementError"),
            Self::Servicing => ("servicing error", "ServicingError"),
            Self::Detach => ("detach error", "DetachError"),
        }
    }

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        self.row().0
    }

    /// The reason of the event that tells about it.
    pub fn event(self) -> &'static str {
        self.row().1
    }

    /// The kind that a word on the wire stands for.
    pub fn parse(word: &str) -> Option<Self> {
        KINDS.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// After so many failures of one host on its way out, the step that fails is given up: a dead management controller
/// must not keep an object for ever.
pub const GIVE_UP_DELETION_AFTER: i64 = 3;

/// The longest wait before something is asked again that Ironic refused at once: asking costs little, and nothing tells
/// when what stood in the way is gone.
pub const LONGEST_REFUSAL: Duration = Duration::from_mins(10);

/// The longest exponent of the back-off: 2^9 minutes.
const STEEPEST: u32 = 9;

/// How long to wait after the `count`-th failure in a row: `2^count` minutes, of which up to a half is taken off by
/// `seed` so that hosts which failed together do not come back together. Zero for a count of zero.
pub fn back_off(count: i64, seed: &str) -> Duration {
    let Ok(count) = u32::try_from(count) else { return Duration::ZERO };
    if count == 0 {
        return Duration::ZERO;
    }
    let full = 60_000_u64 << count.min(STEEPEST);
    let part = spread(seed, count);
    Duration::from_millis(full - full / 2 * u64::from(part) / u64::from(u16::MAX))
}

/// A number that is the same for the same host and count, and looks random across them (FNV-1a, folded).
fn spread(seed: &str, count: u32) -> u16 {
    let mut sum: u32 = 0x811c_9dc5;
    for byte in seed.bytes().chain(count.to_be_bytes()) {
        sum = (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }
    (sum >> 16) as u16 ^ (sum & 0xffff) as u16
}

/// How long each phase normally takes: past it the wait is shown as overdue. One table, so that people can compare.
pub mod budget {
    use std::time::Duration;

    /// Checking a management controller.
    pub const REGISTRATION: Duration = minutes(5);
    /// Booting the agent and reading the hardware.
    pub const INSPECTION: Duration = minutes(15);
    /// Out-of-band inspection.
    pub const FAST_INSPECTION: Duration = minutes(5);
    /// Cleaning with firmware, RAID or disk work.
    pub const CLEANING: Duration = minutes(30);
    /// Writing an image.
    pub const DEPLOY: Duration = minutes(20);
    /// Removing an image, with cleaning.
    pub const DEPROVISION: Duration = minutes(30);
    /// Switching on or off.
    pub const POWER: Duration = minutes(5);
    /// Taking a running machine over.
    pub const ADOPTION: Duration = minutes(5);
    /// Ironic coming back after a restart.
    pub const IRONIC: Duration = minutes(10);

    const fn minutes(count: u64) -> Duration {
        Duration::from_secs(count * 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_off_doubles_and_stays_between_half_and_full() {
        for (count, minutes) in [(1, 2_u64), (2, 4), (3, 8), (8, 256), (9, 512), (30, 512)] {
            for seed in ["a", "b", "some-uid"] {
                let got = back_off(count, seed);
                let full = Duration::from_secs(minutes * 60);
                assert!(got <= full && got >= full / 2, "{count} {seed}: {got:?}");
            }
        }
        assert_eq!(back_off(0, "a"), Duration::ZERO);
        assert_eq!(back_off(-1, "a"), Duration::ZERO);
        assert_ne!(back_off(1, "a"), back_off(1, "b"));
    }

    #[test]
    fn words_round_trip() {
        for kind in KINDS {
            assert_eq!(ErrorKind::parse(kind.as_str()), Some(kind));
        }
        let mut events: Vec<&str> = KINDS.map(ErrorKind::event).to_vec();
        events.sort_unstable();
        events.dedup();
        assert_eq!(events.len(), KINDS.len(), "no two have one event");
        assert_eq!(ErrorKind::parse("other"), None);
        assert_eq!(ErrorKind::parse("power management error").map(ErrorKind::event), Some("PowerManagementError"));
    }
}
