#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
# First process of the guest: mounts the host's root directory, read-only, below a layer in memory, and goes on there.
# The kernel hands us PORTOLAN_CHECKOUT, PORTOLAN_MODULES and PORTOLAN_NODE from its command line.
busybox=/bin/busybox
fail() {
  echo "matrix: $*"
  $busybox poweroff -f
}

$busybox mount -t proc proc /proc
for module in $($busybox cat /modules.list); do
  $busybox insmod "/modules/$module" || fail "cannot load $module"
done
$busybox mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,cache=loose,ro root /lower || fail "no root directory"
$busybox mount -t tmpfs upper /upper
$busybox mkdir /upper/files /upper/work
$busybox mount -t overlay -o lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work overlay /root || fail "no layer"
$busybox mkdir -p /root/lib/modules
$busybox ln -s "$PORTOLAN_MODULES" "/root/lib/modules/$($busybox uname -r)"
$busybox umount /proc
# What loads modules for the kernel shares this process's root: so it must be this one that changes it.
exec $busybox switch_root /root /bin/bash "$PORTOLAN_CHECKOUT/test/matrix/guest.sh"
