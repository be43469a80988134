#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# rootfs.sh ARCH NODE ROOT: the part of the image that is not ours, laid out below ROOT: from Debian the libraries of the
# addon and of Node.js, what modes of rules run (iptables, ipset, ipvsadm, nft, conntrack, ip) with what that needs, and busybox, whose shell init containers and people use;
# NODE/node, stripped. Packages are unpacked, not installed: none of their scripts is needed, and so another architecture
# than this machine's is no different.
set -euo pipefail

target=$1 node=$2 root=$3
packages=(libc6 libstdc++6 libbpf1 libelf1 zlib1g iptables ipset ipvsadm nftables conntrack iproute2 busybox-static)
# The licence of each package stays.
left_out=('./usr/share/man' './usr/share/locale' './usr/share/lintian' './usr/share/bash-completion' './usr/share/gdb'
  './usr/share/gcc' './usr/lib/*/gconv' './usr/lib/*/perl*' './etc/init.d' './usr/share/doc/*/changelog*' './usr/share/doc/*/examples')

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# apt as on a machine that has no package yet.
mkdir -p "$work/partial" "$root/var/lib/dpkg/status.d" "$root/etc"
: >"$work/status"
apt-get update -q
apt-get install -q -y --download-only --no-install-recommends -o "Dir::State::status=$work/status" -o "Dir::Cache::archives=$work" \
  -o "APT::Architecture=$target" -o "APT::Architectures::=$target" "${packages[@]}"

for package in "$work"/*.deb; do
  # Scanners read here what is in an image without dpkg.
  dpkg-deb --field "$package" >"$root/var/lib/dpkg/status.d/$(dpkg-deb --field "$package" Package)"
  dpkg-deb --fsys-tarfile "$package" | tar -x -C "$root" --keep-directory-symlink "${left_out[@]/#/--exclude=}"
done

install -D "$node/node" "$root/usr/local/bin/node"
llvm-strip-19 "$root/usr/local/bin/node"
install -D -m 644 "$node/LICENSE" "$root/usr/share/doc/nodejs/copyright"
for name in $(busybox --list); do
  [ -e "$root/bin/$name" ] || [ -e "$root/usr/bin/$name" ] || [ -e "$root/sbin/$name" ] || [ -e "$root/usr/sbin/$name" ] ||
    ln -s busybox "$root/bin/$name"
done
mkdir -p "$root/usr/bin" "$root/proc" "$root/sys" "$root/dev" "$root/run" "$root/tmp"
ln -s /bin/busybox "$root/usr/bin/env"
echo 'root:x:0:0:root:/:/bin/sh' >"$root/etc/passwd"
echo 'root:x:0:' >"$root/etc/group"
