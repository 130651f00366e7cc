#!/bin/bash
# Makes a whole-disk image of a Kubernetes machine: GPT, boot partition for BIOS and UEFI, ext4 root, cloud-init.
# usage: build.sh ROLE BASE KUBERNETES IMAGES OUT
#   ROLE        worker or control-plane
#   BASE        debootstrap tree
#   KUBERNETES  folder with kubelet, kubeadm, kubectl
#   IMAGES      folder with container image archives to preload
#   OUT         folder for disk.qcow2; OUT/work is scratch
# No loop device and no mount of the image: file systems are written by mkfs and mtools.
set -euo pipefail
trap 'echo "failed in line $LINENO"' ERR
here=$(cd "$(dirname "$0")" && pwd)
role=$1 base=$2 kubernetes=$3 images=$4 out=$5
work=$out/work
tree=$work/tree
mkdir -p "$tree"
lines() { grep -v '^#' "$here/$1"; }
step() { echo "$SECONDS s: $*"; }

tar -C "$base" --exclude=./usr/share/{doc,man,locale,info}'/*' --exclude='./var/cache/apt/*' \
	--exclude='./var/lib/apt/lists/*' --exclude='./var/log/*' --exclude='./tmp/*' -cf - . | tar -C "$tree" -xf -
step "tree copied"

# --- kernel modules
release=$(basename "$tree"/usr/lib/modules/*)
lines unused-modules | while read -r folder; do rm -rf "$tree/usr/lib/modules/$release/kernel/$folder"; done
depmod -b "$tree" "$release"

# --- Kubernetes
install -m 755 "$kubernetes/kubelet" "$kubernetes/kubeadm" "$tree/usr/bin/"
[ "$role" = control-plane ] && install -m 755 "$kubernetes/kubectl" "$tree/usr/bin/"
install -D -m 644 "$here/kubelet.service" "$tree/etc/systemd/system/kubelet.service"
install -D -m 644 "$here/kubeadm.conf" "$tree/etc/systemd/system/kubelet.service.d/10-kubeadm.conf"
install -D -m 644 "$here/network.conflist" "$tree/etc/cni/net.d/10-bridge.conflist"
mkdir -p "$tree/opt/cni" "$tree/etc/containerd"
ln -sfn /usr/lib/cni "$tree/opt/cni/bin"
pause=$(tar -xOf "$images/pause.tar" index.json | sed 's/.*ref.name":"\([^"]*\)".*/\1/')
sed "s/PAUSE_TAG/$pause/" "$here/containerd.toml" >"$tree/etc/containerd/config.toml"
printf '%s\n' overlay br_netfilter ip_tables nf_conntrack >"$tree/etc/modules-load.d/kubernetes.conf"
printf '%s = 1\n' net.ipv4.ip_forward net.bridge.bridge-nf-call-iptables net.bridge.bridge-nf-call-ip6tables \
	>"$tree/etc/sysctl.d/99-kubernetes.conf"

# --- identity and services
install -m 644 "$here/cloud.cfg" "$tree/etc/cloud/cloud.cfg"
: >"$tree/etc/machine-id" # empty: every machine makes its own
rm -f "$tree/var/lib/dbus/machine-id" "$tree/etc/resolv.conf"
# A plain file: the kubelet starts no pod when it is a link into nowhere.
echo '# written when the image was built' >"$tree/etc/resolv.conf"
echo node >"$tree/etc/hostname"
echo '127.0.0.1 localhost' >"$tree/etc/hosts"
echo 'LABEL=root / ext4 errors=remount-ro,noatime 0 0' >"$tree/etc/fstab"
sed -i 's/^root:[^:]*:/root::/' "$tree/etc/shadow" # login on the console is the debugger of this bench
lines masked-units | while read -r unit; do ln -sfn /dev/null "$tree/etc/systemd/system/$unit"; done
rm -f "$tree"/etc/systemd/system/multi-user.target.wants/{ssh,e2scrub_reap}.service
systemctl --root="$tree" enable kubelet containerd systemd-networkd serial-getty@ttyS0 2>&1
step "services set"

# --- preloaded containers, by the image's own containerd on the image's own store
run=$(mktemp -d) # a short path: sockets allow about 100 characters
mkdir -p "$tree/var/lib/containerd"
cat >"$run/config.toml" <<C
version = 2
root = '$tree/var/lib/containerd'
state = '$run/state'
disabled_plugins = ['io.containerd.grpc.v1.cri']
[grpc]
  address = '$run/socket'
C
"$tree/usr/bin/containerd" --config "$run/config.toml" >"$run/log" 2>&1 &
containerd=$!
trap 'kill $containerd 2>/dev/null || true; rm -rf "$run"' EXIT
until "$tree/usr/bin/ctr" --address "$run/socket" version >/dev/null 2>&1; do
	kill -0 $containerd || { cat "$run/log"; exit 1; }
	sleep 0.1
done
for archive in "$images"/*.tar; do
	"$tree/usr/bin/ctr" --address "$run/socket" --namespace k8s.io images import "$archive"
done
kill $containerd
wait $containerd || true
step "containers preloaded: $(du -sm "$tree" | cut -f1) MB"

# --- initrd with the few disk drivers
sed -i 's/^MODULES=.*/MODULES=list/; s/^COMPRESS=.*/COMPRESS=zstd/; /^FSTYPE=/d' "$tree/etc/initramfs-tools/initramfs.conf"
echo 'FSTYPE=ext4' >>"$tree/etc/initramfs-tools/initramfs.conf"
echo 'RESUME=none' >"$tree/etc/initramfs-tools/conf.d/resume"
printf '%s\n' virtio_pci virtio_blk virtio_scsi sd_mod ext4 ata_piix ahci nvme >"$tree/etc/initramfs-tools/modules"
chroot "$tree" update-initramfs -u -k "$release"
step "initrd made"

# --- boot partition: syslinux for BIOS, GRUB for UEFI
parameters="root=LABEL=root ro console=tty0 console=ttyS0,115200 no_timer_check mitigations=off"
esp=$work/esp.img
truncate --size=63M "$esp"
mkfs.vfat -F 16 -n NODEBOOT "$esp" >/dev/null
cat >"$work/syslinux.cfg" <<C
SERIAL 0 115200
DEFAULT linux
LABEL linux
 KERNEL /vmlinuz
 INITRD /initrd.img
 APPEND $parameters
C
cat >"$work/grub.cfg" <<C
search --file --set=root /vmlinuz
linux /vmlinuz $parameters
initrd /initrd.img
boot
C
grub-mkstandalone --format=x86_64-efi --output="$work/BOOTX64.EFI" --locales= --fonts= --themes= \
	--modules="part_gpt fat search search_fs_file linux normal" "boot/grub/grub.cfg=$work/grub.cfg"
mmd -i "$esp" ::EFI ::EFI/BOOT
mcopy -i "$esp" "$work/BOOTX64.EFI" ::EFI/BOOT/BOOTX64.EFI
mcopy -i "$esp" "$tree/boot/vmlinuz-$release" ::vmlinuz
mcopy -i "$esp" "$tree/boot/initrd.img-$release" ::initrd.img
mcopy -i "$esp" "$work/syslinux.cfg" ::syslinux.cfg
syslinux --install "$esp"
rm -f "$tree"/boot/{System.map,initrd.img,vmlinuz}* "$tree"/{vmlinuz,initrd.img}{,.old}

# --- root file system and disk; the root partition is last, so that it can grow up to the config drive
size=$(($(du -sm "$tree" | cut -f1) + 120))
truncate --size=${size}M "$work/root.img"
mkfs.ext4 -q -F -L root -m 1 -O '^has_journal,^metadata_csum' -E lazy_itable_init=0 -d "$tree" "$work/root.img"
disk=$work/disk.raw
truncate --size=$((size + 66))M "$disk"
sgdisk --new=1:2048:+63M --typecode=1:ef00 --attributes=1:set:2 \
	--new=2:131072:+${size}M --typecode=2:8304 "$disk" >/dev/null
dd if="$esp" of="$disk" bs=1M seek=1 conv=notrunc,sparse status=none
dd if="$work/root.img" of="$disk" bs=1M seek=64 conv=notrunc,sparse status=none
dd if=/usr/lib/syslinux/mbr/gptmbr.bin of="$disk" bs=440 count=1 conv=notrunc status=none
# syslinux must know where its partition begins (2048 sectors): the hidden-sectors field of the boot sector.
printf '\x00\x08\x00\x00' | dd of="$disk" bs=1 seek=$((2048 * 512 + 28)) conv=notrunc status=none
step "disk of $((size + 66)) MB made"
qemu-img convert -c -f raw -O qcow2 "$disk" "$out/disk.qcow2"
step "compressed: $(stat --format=%s "$out/disk.qcow2") bytes"
rm -rf "$work"
