#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# In the guest, as its first process: the filesystems a node has, then the tests; the exit status goes to the console.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
PATH=$(dirname "$PORTOLAN_NODE"):$PATH
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs run /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t bpf bpf /sys/fs/bpf
ip link set lo up
modprobe br_netfilter # as people are told to do on nodes
cd "$PORTOLAN_CHECKOUT" || exit

echo "matrix: $(uname -srv)"
export PORTOLAN_LOOK=/run/kernel.json
if node --import tsx test/matrix/look.ts >"$PORTOLAN_LOOK"; then
  printf 'matrix: kernel '
  cat "$PORTOLAN_LOOK"
  status=0
else
  status=1
fi
if [ "$status$PORTOLAN_RECORD" = 0 ]; then
  config=test/matrix/${PORTOLAN_CONFORMANCE:+conformance.}vitest.config.ts
  CI=1 NO_COLOR=1 node node_modules/vitest/vitest.mjs run --config "$config" $PORTOLAN_TESTS 2>&1
  status=$?
fi
printf "\nmatrix: exit %s\n" "$status" # a line of its own: the reporter leaves the cursor where it likes
echo o >/proc/sysrq-trigger
sleep infinity # until the machine is off
