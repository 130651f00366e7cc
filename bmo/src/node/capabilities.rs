//! Boot mode and secure boot, which Ironic takes in two forms: text in `properties`, a map in `instance_info`.

use api::metal3::BootMode;
use serde_json::{Value, json};

const BOOT_MODE: &str = "boot_mode:";
const SECURE_BOOT: &str = "secure_boot:";

/// `properties.capabilities`: entries of others stay in their order, ours follow.
pub fn properties(existing: Option<&str>, mode: &BootMode) -> String {
    let ours = match mode {
        BootMode::Uefi | BootMode::Other(_) => "boot_mode:uefi",
        BootMode::UefiSecureBoot => "boot_mode:uefi,secure_boot:true",
        BootMode::Legacy => "boot_mode:bios",
    };
    let others = existing.unwrap_or_default().split(',').map(str::trim);
    let others = others.filter(|e| !e.is_empty() && !e.starts_with(BOOT_MODE) && !e.starts_with(SECURE_BOOT));
    others.chain([ours]).collect::<Vec<_>>().join(",")
}

/// `instance_info.capabilities`.
pub fn instance(mode: &BootMode) -> Value {
    match mode {
        BootMode::UefiSecureBoot => json!({"secure_boot": "true"}),
        BootMode::Uefi | BootMode::Legacy | BootMode::Other(_) => json!({}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_replace_ours_and_others_stay() {
        let table = [
            (None, BootMode::Uefi, "boot_mode:uefi"),
            (None, BootMode::Legacy, "boot_mode:bios"),
            (None, BootMode::UefiSecureBoot, "boot_mode:uefi,secure_boot:true"),
            (Some(""), BootMode::Uefi, "boot_mode:uefi"),
            (Some("boot_mode:uefi"), BootMode::Legacy, "boot_mode:bios"),
            (Some("boot_mode:bios,gpu:2"), BootMode::Uefi, "gpu:2,boot_mode:uefi"),
            (Some("a:1,secure_boot:true,b:2"), BootMode::Uefi, "a:1,b:2,boot_mode:uefi"),
            (Some("secure_boot:true"), BootMode::UefiSecureBoot, "boot_mode:uefi,secure_boot:true"),
            (Some("boot_mode:uefi,secure_boot:true"), BootMode::Uefi, "boot_mode:uefi"),
            (
                Some("cpu_vt:true, boot_mode:bios"),
                BootMode::UefiSecureBoot,
                "cpu_vt:true,boot_mode:uefi,secure_boot:true",
            ),
        ];
        for (existing, mode, wanted) in table {
            assert_eq!(properties(existing, &mode), wanted, "{existing:?} {mode}");
        }
    }

    #[test]
    fn applying_twice_changes_nothing() {
        for mode in [BootMode::Uefi, BootMode::UefiSecureBoot, BootMode::Legacy] {
            let once = properties(Some("x:1"), &mode);
            assert_eq!(properties(Some(&once), &mode), once);
        }
    }
}
