#!/bin/bash
# Makes the file system image which Ironic puts into boot ISOs for UEFI machines.
# usage: esp.sh OUT
# Its GRUB reads EFI/BOOT/grub.cfg from the ISO, where Ironic writes it ([DEFAULT] grub_config_path).
set -euo pipefail
out=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/grub.cfg" <<'G'
search --file --set=root /EFI/BOOT/grub.cfg
set prefix=($root)/EFI/BOOT
configfile ($root)/EFI/BOOT/grub.cfg
G
grub-mkstandalone --format=x86_64-efi --output="$work/BOOTX64.EFI" --locales= --fonts= --themes= \
	--modules="part_gpt part_msdos fat iso9660 search search_fs_file linux normal configfile echo test" \
	"boot/grub/grub.cfg=$work/grub.cfg"
truncate --size=6M "$out"
mkfs.vfat -F 12 -n BOOTESP "$out" >/dev/null
mmd -i "$out" ::EFI ::EFI/BOOT
mcopy -i "$out" "$work/BOOTX64.EFI" ::EFI/BOOT/BOOTX64.EFI
