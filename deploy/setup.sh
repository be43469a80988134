#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes this checkout ready to run: system packages, npm packages, addon, BPF objects, bundle. Each step compares a
# content hash with the stamp it left last time, so that a second run changes nothing and takes a fraction of a second.
# `deploy/setup.sh packages` ends after the system packages: a layer of its own for image builds.
# Exit status: 0 ready, 1 a step failed, 3 this machine lacks something that only its owner can install.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# Debian keeps these from users, and from a root that came by plain su: dpkg and bpftool need them.
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

packages=(clang-19 llvm-19 libbpf-dev libelf-dev zlib1g-dev pkg-config g++ make python3 bpftool
  iproute2 iptables ipset ipvsadm nftables curl ethtool conntrack procps util-linux mount traceroute iputils-ping)
read -ra extra <<<"${PORTOLAN_EXTRA_PACKAGES:-}" # what lint needs on top
packages+=("${extra[@]}")

say() { echo "setup: $*" >&2; }

# Prints the packages of the arguments that dpkg does not list as installed.
missing_packages() {
  local name
  for name in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || echo "$name"
  done
}

# One dpkg-query for all is much faster than one each; only when it finds a gap do we ask which.
all_installed() {
  local states
  states=$(dpkg-query -W -f '${db:Status-Status}\n' "$@" 2>/dev/null) || return 1
  ! grep -qvx installed <<<"$states"
}

apt_install() {
  local policy=/usr/sbin/policy-rc.d
  # A package must not start a daemon on this machine for our sake; a policy of the owner's stays.
  if [ ! -e "$policy" ]; then
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
  fi
  apt-get update -q >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" >&2
}

system_packages() {
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    say "this is not a Debian or Ubuntu machine. Install what these packages hold, then set PORTOLAN_SKIP_APT=1:"
    say "  ${packages[*]}"
    exit 3
  fi
  all_installed "${packages[@]}" && return
  local missing
  mapfile -t missing < <(missing_packages "${packages[@]}")
  if [ "$(id -u)" != 0 ]; then
    say "these packages are missing and only root can install them:"
    say "  sudo apt-get install ${missing[*]}"
    exit 3
  fi
  say "installing by apt: ${missing[*]}"
  if ! apt_install "${missing[@]}"; then
    say "installing by apt: FAILED; install what these packages hold in another way, then set PORTOLAN_SKIP_APT=1"
    exit 1
  fi
}

# Hash of the contents and names of the files below the arguments.
content_hash() {
  find "$@" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1
}

# step NAME STAMP OUTPUT HASH COMMAND...: runs the command unless the output exists and the stamp holds this hash.
step() {
  local name=$1 stamp=$2 output=$3 hash=$4
  shift 4
  [ -e "$output" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$hash" ] && return
  say "$name"
  if ! "$@" >build/setup.log 2>&1; then
    cat build/setup.log >&2
    say "$name: FAILED"
    exit 1
  fi
  mkdir -p "$(dirname "$stamp")"
  echo "$hash" >"$stamp"
}

build_addon() {
  local prefix args=()
  prefix=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")
  # Headers that came with this Node.js; without them node-gyp downloads its own copy.
  [ -e "$prefix/include/node/node_api.h" ] && args=(--nodedir="$prefix")
  node_modules/.bin/node-gyp configure build --jobs=max --loglevel=warn "${args[@]}"
}

check_node() {
  local found
  if ! found=$(node -e '
    const [major, minor] = process.versions.node.split(".").map(Number);
    console.log(process.version);
    process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)' 2>/dev/null); then
    say "Node.js 20.19 or newer is needed, found ${found:-none}: https://nodejs.org"
    exit 3
  fi
  command -v npm >/dev/null && return
  say "npm is needed and is not there: it comes with Node.js from https://nodejs.org"
  exit 3
}

check_checkout() {
  mkdir -p build 2>/dev/null && [ -w build ] && return
  local owner
  owner=$(stat -c %U build 2>/dev/null || stat -c %U .)
  say "$PWD/build cannot be written, it belongs to $owner: run this as $owner, or make a clone of your own"
  exit 3
}

check_node
check_checkout
[ -n "${PORTOLAN_SKIP_APT:-}" ] || system_packages
[ "${1:-}" != packages ] || exit 0

exec 9>build/.setup.lock
flock 9 # two commands started at once must not build over each other
step "installing npm packages (npm ci)" node_modules/.portolan-stamp node_modules "$(content_hash package-lock.json .npmrc)" npm ci
step "building the addon" build/stamp.native build/Release "$(content_hash native binding.gyp)" build_addon
step "building the BPF objects" build/stamp.bpf build/bpf "$(content_hash bpf)" bash bpf/build.sh
step "bundling dist/portolan.js" build/stamp.bundle dist/portolan.js "$(content_hash src rolldown.config.js package.json)" \
  node_modules/.bin/rolldown -c rolldown.config.js --logLevel warn
