#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# test/matrix/run.sh [--record] [VERSION [NAME]]: the tests of this directory, or those in files with NAME in their path, on
# other kernels, Debian's, in QEMU under software emulation (so that it runs wherever root does). The guest has this machine's
# root directory, read-only below a layer in memory: its Node.js, its libraries and this checkout as they are. VERSION: 5.10,
# 6.1, 6.12; none: all of them.
#
# run.sh --conformance [VERSION [DRIVER [NAME]]]: not these tests but those of test/conformance, or in files with NAME in their path,
# by the drivers that the kernel can serve by, or one of them. An hour for a kernel.
#
# What a kernel can do is compared with what test/matrix/kernels says of it. --record runs no tests: it writes that, and
# docs/kernels.md from it.
#
# Exit status: 0 passed, or skipped, with the reason; 1 failed; 2 no such version.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

all=(5.10 6.1 6.12)
record='' driver=''
deadline=1200 # seconds for a guest
case ${1:-} in
  --record) record=yes ;;
  --conformance) driver=${3:-all} deadline=10800 ;;
esac
[[ ${1:-} != --* ]] || shift
versions=("${all[@]}")
[ $# = 0 ] || versions=("$1")
if [ -n "$driver" ]; then name=${3:-}; else name=${2:-}; fi

say() { echo "matrix: $*" >&2; }
skip_all() {
  say "SKIPPED: $*"
  say "0 passed, 0 failed, ${#versions[@]} skipped"
  exit 0
}

for version in "${versions[@]}"; do
  [[ " ${all[*]} " = *" $version "* ]] || { say "no such kernel: $version; VERSION is one of: ${all[*]}"; exit 2; }
done
[ "$(uname -m)" = x86_64 ] || skip_all "the kernels are Debian's for x86_64, this machine is $(uname -m)"
[ "$(id -u)" = 0 ] || skip_all "only root may read all that the guest needs"
command -v apt-get >/dev/null || skip_all "no apt-get: QEMU and the kernels are Debian packages"

tools=(qemu-system-x86 busybox-static cpio kmod xz-utils debian-archive-keyring ipset ipvsadm)
if ! dpkg-query -W -f '${db:Status-Status}\n' "${tools[@]}" 2>/dev/null | grep -cx installed | grep -qx ${#tools[@]}; then
  say "installing by apt: ${tools[*]}"
  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${tools[@]}"; } \
    >&2 || skip_all "apt cannot install ${tools[*]}"
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/pt-matrix.XXXXXX")
trap 'rm -rf "$work"' EXIT

# An initramfs with just what mounts the root directory, in the order in which it loads. Their kernel may not take packed modules.
initramfs() {
  local kernel=$1 release=$2 tree=$work/initramfs module name
  rm -rf "$tree"
  mkdir -p "$tree/"{bin,dev,lower,modules,proc,root,sys,upper}
  cp /bin/busybox "$tree/bin/"
  cp test/matrix/init.sh "$tree/init"
  chmod +x "$tree/init"
  for name in virtio_pci 9pnet_virtio 9p overlay; do modprobe -d "$kernel" -S "$release" --show-depends "$name"; done |
    awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r module; do
      name=$(basename "$module" .xz)
      if [ "$name" = "$(basename "$module")" ]; then cp "$module" "$tree/modules/"; else xz -dc "$module" >"$tree/modules/$name"; fi
      echo "$name"
    done >"$tree/modules.list"
  (cd "$tree" && find . | cpio -o -H newc --quiet | gzip) >"$work/initramfs.gz"
}

# Runs guest.sh on the kernel in a directory; what it prints goes to a file too. Console lines end in CR LF.
boot() {
  local version=$1 kernel=$2 release=$3 console=$4 deadline=$5
  timeout --foreground "$deadline" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 3G \
    -nodefaults -display none -serial stdio -no-reboot \
    -kernel "$kernel/vmlinuz" -initrd "$work/initramfs.gz" \
    -append "console=ttyS0 quiet panic=-1 PORTOLAN_CHECKOUT=$PWD PORTOLAN_MODULES=$kernel/lib/modules/$release PORTOLAN_NODE=$(command -v node) PORTOLAN_KERNEL=$version PORTOLAN_RECORD=$record PORTOLAN_CONFORMANCE=$driver PORTOLAN_TESTS=$name" \
    -virtfs local,path=/,mount_tag=root,security_model=none,readonly=on,multidevs=remap </dev/null 2>&1 |
    sed -u 's/\r$//' | tee "$console" || true
}

# What the guest found out of its kernel is on one line of the console.
write_record() {
  local version=$1 console=$2
  sed -n 's/^matrix: kernel //p' "$console" | node -e '
    const text = require("fs").readFileSync(0, "utf8");
    if (text !== "") require("fs").writeFileSync(process.argv[1], JSON.stringify(JSON.parse(text), null, 2) + "\n");
  ' "test/matrix/kernels/$version.json"
}

passed=0 failed=0 skipped=0
for version in "${versions[@]}"; do
  if ! kernel=$(bash test/matrix/kernel.sh "$version" 2> >(tee "$work/reason" >&2)); then
    say "SKIPPED $version: $(tail -n 1 "$work/reason")"
    skipped=$((skipped + 1))
    continue
  fi
  if [ $((passed + failed)) = 0 ]; then
    bash deploy/setup.sh
    if [ -z "$record" ]; then
      bash test/cluster/build.sh >/dev/null # the real kube-proxy
      node_modules/.bin/tsx test/matrix/prepare.ts
    fi
  fi
  release=$(cat "$kernel/release")
  initramfs "$kernel" "$release"
  say "booting $release; $deadline s at most"
  begun=$SECONDS
  boot "$version" "$kernel" "$release" "$work/console" "$deadline"
  if [ -n "$record" ]; then write_record "$version" "$work/console"; fi
  # The guest cannot hand back an exit status, so it prints one.
  if grep -qx 'matrix: exit 0' "$work/console"; then
    say "passed on $release in $((SECONDS - begun)) s"
    passed=$((passed + 1))
  else
    say "FAILED on $release after $((SECONDS - begun)) s"
    failed=$((failed + 1))
  fi
done
if [ -n "$record" ]; then
  node_modules/.bin/biome format --write test/matrix/kernels >&2
  node_modules/.bin/tsx test/matrix/document.ts >docs/kernels.md
fi
say "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
