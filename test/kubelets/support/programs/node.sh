#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# node.sh DIR BPFFS STATE CGROUP PODS COMMAND...: in a mount namespace of its own, gives a kubelet and its runtime the places of a node that
# they take for granted, and no other node has; then becomes the command.
set -eu
dir=$1 bpffs=$2 state=$3 cgroup=$4 pods=$5
shift 5

mount --make-rshared / # within this namespace: what kubelet mounts, containers see
mount -t tmpfs none /run
mkdir -p "$dir/lib/kubelet" "$dir/lib/containerd" "$dir/lib/portolan" "$dir/log"
mount --bind "$state" "$dir/lib/portolan"
mount --rbind "$dir/lib" /var/lib
mount --bind "$dir/log" /var/log
mount --bind "$bpffs" /sys/fs/bpf
# One manifest for all nodes, so what is a node's own has one name on all of them.
# Not by mounts: kubelet and runc look through these for the cgroups' roots.
mkdir /run/node
ln -s "$cgroup" /run/node/cgroup
ln -s "$pods" /run/node/pods

# Those that kubelet sets are the whole machine's.
for name in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
  copy=$dir/$(echo "$name" | tr / .)
  cat "/proc/sys/$name" >"$copy"
  mount --bind "$copy" "/proc/sys/$name"
done

exec "$@"
