#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# test/matrix/run.sh VERSION [NAME]: the tests of this directory, or those in files with NAME in their path, on another kernel, Debian's, in QEMU under software emulation
# (so that it runs wherever root does). The guest has this machine's root directory, read-only below a layer in memory:
# its Node.js, its libraries and this checkout as they are. VERSION: 6.1.
#
# Kernel and modules are kept in a cache outside the checkout, in a directory named by their version; apt checks what it
# fetches. Exit status: 0 passed, or skipped with the reason; 1 failed; 2 no such version.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

deadline=1200 # seconds for the guest
say() { echo "matrix: $*" >&2; }
skip() {
  say "SKIPPED: $*"
  exit 0
}

case ${1:-} in
  6.1) metapackage=linux-image-amd64 ;;
  *) say "usage: npm run test:matrix VERSION, VERSION one of: 6.1"; exit 2 ;;
esac
version=$1

[ "$(uname -m)" = x86_64 ] || skip "the kernel is Debian's for x86_64, this machine is $(uname -m)"
[ "$(id -u)" = 0 ] || skip "only root may read all that the guest needs"
command -v apt-get >/dev/null || skip "no apt-get: QEMU and the kernel are Debian packages"

tools=(qemu-system-x86 busybox-static cpio kmod ipset ipvsadm)
if ! dpkg-query -W -f '${db:Status-Status}\n' "${tools[@]}" 2>/dev/null | grep -cx installed | grep -qx ${#tools[@]}; then
  say "installing by apt: ${tools[*]}"
  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${tools[@]}"; } \
    >&2 || skip "apt cannot install ${tools[*]}"
fi
# Prints the package that apt's lists name, or nothing.
find_package() {
  { apt-cache depends "$metapackage" 2>/dev/null || true; } |
    sed -n "s/^ *Depends: \(linux-image-${version//./\\.}\.[^ ]*\)$/\1/p" | head -n 1
}

package=$(find_package)
if [ -z "$package" ]; then
  apt-get update -q >&2 || say "apt's lists could not be renewed"
  package=$(find_package)
fi
[ -n "$package" ] || skip "apt knows no Linux $version ($metapackage)"
release=${package#linux-image-}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/portolan
kernel=$cache/kernel-$release

work=$(mktemp -d "${TMPDIR:-/tmp}/pt-matrix.XXXXXX")
trap 'rm -rf "$work"' EXIT

if [ ! -e "$kernel/vmlinuz" ]; then
  say "fetching $package into $kernel"
  download() { (cd "$work" && apt-get -o APT::Sandbox::User=root download -q "$package" >&2); }
  download || { apt-get update -q >&2 && download; } || skip "apt cannot fetch $package" # the lists may be old
  mkdir "$work/root"
  dpkg-deb --fsys-tarfile "$work"/linux-image-*.deb | tar -x -C "$work/root" --wildcards './boot/vmlinuz*' './lib/modules/*'
  mv "$work"/root/boot/vmlinuz* "$work/root/vmlinuz"
  depmod -b "$work/root" "$release"
  mkdir -p "$cache"
  rm -rf "$cache/kernel-$version".* # what it replaces
  mv "$work/root" "$kernel" # whole or not at all
fi

bash deploy/setup.sh
bash test/cluster/build.sh >/dev/null # the real kube-proxy
node_modules/.bin/tsx test/matrix/prepare.ts

# An initramfs with just what mounts the root directory, in the order in which it loads.
mkdir -p "$work/initramfs/"{bin,dev,lower,modules,proc,root,sys,upper}
cp /bin/busybox "$work/initramfs/bin/"
cp test/matrix/init.sh "$work/initramfs/init"
for name in virtio_pci 9pnet_virtio 9p overlay; do modprobe -d "$kernel" -S "$release" --show-depends "$name"; done |
  awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r module; do
    cp "$module" "$work/initramfs/modules/"
    basename "$module"
  done >"$work/initramfs/modules.list"
chmod +x "$work/initramfs/init"
(cd "$work/initramfs" && find . | cpio -o -H newc --quiet | gzip) >"$work/initramfs.gz"

say "booting $release; $deadline s at most"
begun=$SECONDS
# Console lines end in CR LF. The guest cannot hand back an exit status, so it prints one.
timeout --foreground "$deadline" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 3G \
  -nodefaults -display none -serial stdio -no-reboot \
  -kernel "$kernel/vmlinuz" -initrd "$work/initramfs.gz" \
  -append "console=ttyS0 quiet panic=-1 PORTOLAN_CHECKOUT=$PWD PORTOLAN_MODULES=$kernel/lib/modules/$release PORTOLAN_NODE=$(command -v node) PORTOLAN_TESTS=${2:-}" \
  -virtfs local,path=/,mount_tag=root,security_model=none,readonly=on,multidevs=remap </dev/null 2>&1 |
  sed -u 's/\r$//' | tee "$work/console" || true
if grep -qx 'matrix: exit 0' "$work/console"; then
  say "passed on $release in $((SECONDS - begun)) s"
  exit 0
fi
say "FAILED on $release after $((SECONDS - begun)) s"
exit 1
