#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The build stage of the Dockerfile, for ARCH as Debian and OCI call it (amd64, arm64), which may be another one than this
# machine's:
#   build.sh packages ARCH        installs the tools, with a cross compiler if need be
#   build.sh portolan ARCH ROOT   builds the checkout, and lays out below ROOT what of it belongs into the image
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

target=$2
case $target in
  amd64) triplet=x86_64-linux-gnu compiler=g++-x86-64-linux-gnu node_arch=x64 ;;
  arm64) triplet=aarch64-linux-gnu compiler=g++-aarch64-linux-gnu node_arch=arm64 ;;
  *) echo "image: no build for the architecture $target: amd64 or arm64" >&2; exit 2 ;;
esac

# busybox here only tells the names of its commands, see rootfs.sh.
packages() {
  local extra=(busybox-static)
  if [ "$target" != "$(dpkg --print-architecture)" ]; then
    dpkg --add-architecture "$target"
    extra+=("$compiler" "libbpf-dev:$target")
  fi
  PORTOLAN_EXTRA_PACKAGES="${extra[*]}" bash deploy/setup.sh packages
}

# Of the packages that may be part of the bundle.
licences() {
  local directory name file
  npm ls --omit=dev --all --parseable 2>/dev/null | tail -n +2 | while read -r directory; do
    name=${directory##*/node_modules/}
    for file in "$directory"/[Ll][Ii][Cc][Ee][Nn][CcSs][Ee]* "$directory"/NOTICE*; do
      [ ! -f "$file" ] || install -D -m 644 "$file" "$1/$name/${file##*/}"
    done
  done
}

portolan() {
  local root=$1
  if [ "$target" != "$(dpkg --print-architecture)" ]; then
    export CC=$triplet-gcc CXX=$triplet-g++ npm_config_arch=$node_arch # node-gyp reads the last
  fi
  PORTOLAN_SKIP_APT=1 bash deploy/setup.sh
  mkdir -p "$root/portolan/dist" "$root/portolan/build/Release" "$root/portolan/bpf" "$root/usr/local/bin"
  cp package.json LICENSE NOTICE "$root/portolan/"
  cp bpf/LICENSE.* "$root/portolan/bpf/"
  cp dist/portolan.js "$root/portolan/dist/"
  cp -r build/bpf "$root/portolan/build/"
  llvm-strip-19 -o "$root/portolan/build/Release/portolan.node" build/Release/portolan.node
  chmod +x "$root/portolan/dist/portolan.js"
  licences "$root/usr/share/doc/portolan"
  ln -s /portolan/dist/portolan.js "$root/usr/local/bin/portolan"
}

command=$1
shift 2
case $command in
  packages) packages ;;
  portolan) portolan "$@" ;;
  *) echo "image: no such step: $command" >&2; exit 2 ;;
esac
