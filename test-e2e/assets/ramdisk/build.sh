#!/bin/bash
# Makes the deploy agent's kernel and ramdisk.
# usage: build.sh BASE KERNEL PYTHON VERSION OUT
#   BASE     debootstrap tree with the tools the agent calls
#   KERNEL   unpacked Debian kernel package
#   PYTHON   a Python with pip, used to install into the tree
#   VERSION  version of ironic-python-agent
#   OUT      folder for agent.kernel and agent.initramfs; OUT/work is scratch
set -euo pipefail
trap 'echo "failed in line $LINENO"' ERR
here=$(cd "$(dirname "$0")" && pwd)
base=$1 kernel=$2 python=$3 version=$4 out=$5
root=$out/work/root
mkdir -p "$out/work"
release=$(basename "$kernel"/lib/modules/*)

cp -a --reflink=auto "$base" "$root"
# Debian's Python adds /local to the prefix by itself.
"$python" -m pip --python "$root/usr/bin/python3" install --quiet --root-user-action=ignore --no-cache-dir \
	--ignore-installed --root "$root" --prefix /usr --constraint "$here/constraints.txt" \
	"ironic-python-agent==$version"
# pip writes the path of the Python it was given into the programs; inside the ramdisk that is another one.
sed -i "1s|^#!$root|#!|" "$root"/usr/local/bin/*
grep -q '^#!/usr/bin/python3' "$root/usr/local/bin/ironic-python-agent"

# --- take out what the agent never opens: the ramdisk is fetched and unpacked at every boot of every machine
shopt -s nullglob globstar
cd "$root"
packages=usr/local/lib/python3*/dist-packages
rm -rf usr/share/{doc,man,locale,info,lintian,bug,zsh,bash-completion,perl,perl5,debconf,common-licenses,pixmaps,menu}
rm -rf usr/share/{dict,i18n,zoneinfo,initramfs-tools,misc/usb.ids} var/cache/{apt,debconf}/* var/lib/{apt,dpkg} var/log/*
rm -rf usr/bin/{perl*,apt*,dpkg*,debconf*,localedef,gpgv,lto-dump,openssl,qemu-nbd,qemu-io,qemu-storage-daemon}
rm -rf usr/lib/{apt,dpkg} usr/lib/udev/hwdb* usr/lib/systemd/hwdb usr/sbin/ldconfig.real boot
rm -rf usr/lib/x86_64-linux-gnu/{perl*,gconv,libapt-*,libdb-5.3*,libmvec*,libicu*}
rm -rf usr/lib/python3.*/{test,idlelib,ensurepip,lib2to3,pydoc_data,tkinter,turtledemo,config-3*}
rm -rf usr/lib/python3.*/lib-dynload/_test* usr/lib/python3/dist-packages/{babel,numpy,setuptools,pip}*
rm -rf $packages/{setuptools,pip,tzdata} $packages/**/tests $packages/**/*.{pyi,pyx,pxd,c,h}
for names in $packages/netaddr/eui/{oui,iab}.txt; do : >"$names"; done
find usr -name '*.so*' -type f -exec strip --strip-unneeded {} + 2>/dev/null || true

# --- kernel modules: those of an emulated machine, with what they need
rm -rf lib/modules/*
mkdir -p "lib/modules/$release"
cp "$kernel/lib/modules/$release"/modules.{builtin,order,builtin.modinfo} "lib/modules/$release/"
work=$out/work/kernel
cp -a --reflink=auto "$kernel" "$work"
depmod -b "$work" "$release"
while read -r module; do
	case $module in '' | '#'*) continue ;; esac
	# A module of this list that is built in or absent in this kernel is no error.
	modprobe -d "$work" -S "$release" --show-depends "$module" 2>/dev/null | awk '$1 == "insmod" { print $2 }' || true
done <"$here/modules" | sort -u | while read -r file; do
	relative=${file#"$work"/}
	relative=${relative#/}
	install -D -m 644 "$work/$relative" "$root/$relative"
done
depmod -b "$root" "$release"

# --- our own parts
install -m 755 "$here/init" init
install -m 755 "$here/udhcpc.sh" etc/udhcpc.sh
mkdir -p bin/bb etc/ironic-python-agent.d var/log root run tmp
# The agent switches off by these names; without an init system they must act at once.
for action in poweroff reboot halt; do
	printf '#!/bin/busybox sh\nexec /bin/busybox %s -f\n' "$action" >"usr/sbin/$action"
	chmod 755 "usr/sbin/$action"
done

cp "$kernel/boot/vmlinuz-$release" "$out/agent.kernel"
# Level 10: higher ones save a few megabytes and cost minutes.
find . -xdev -print0 | LC_ALL=C sort -z | cpio --null --create --format=newc --quiet |
	zstd --quiet --threads=2 -10 -o "$out/agent.initramfs"
cd "$out"
rm -rf work
ls -l "$out"
