#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# deploy/image.sh [ARCH...]: builds the Dockerfile with buildah where there is no registry to take base images from: they are
# made of Debian packages by mmdebstrap, Node.js and npm come from npm. ARCH: amd64, arm64; default: this machine's.
# Needs root and a Debian or Ubuntu machine. Base images and layers are kept in a cache outside the checkout; remove it there to
# get newer packages. Where there is a registry, `docker build .` does the same from public images.
#
# Prints on stdout a line for each: ARCH, the image's name, and the options of buildah that find it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

node_major=24
npm_major=11
cache=${XDG_CACHE_HOME:-$HOME/.cache}/portolan/image
say() { echo "image: $*" >&2; }

work=$(mktemp -d "${TMPDIR:-/tmp}/pt-image.XXXXXX")
trap 'rm -rf "$work"' EXIT

[ "$(id -u)" = 0 ] || { say "only root may make images here: run this as root"; exit 3; }
PORTOLAN_EXTRA_PACKAGES="buildah mmdebstrap" bash deploy/setup.sh packages

# Layers as overlays are quick; where the kernel or the file system has none, they are copies.
storage() {
  local driver
  for driver in overlay vfs; do
    options=(--storage-driver "$driver" --root "$cache/storage-$driver" --runroot "$cache/run-$driver")
    buildah "${options[@]}" info >/dev/null 2>&1 && return
  done
  say "buildah can use neither overlay nor vfs below $cache"
  exit 1
}

image_exists() { buildah "${options[@]}" inspect --type image "$1" >/dev/null 2>&1; }

# npm_package NAME DIRECTORY: unpacks it.
npm_package() {
  local tarball
  tarball=$(cd "$work" && npm pack --loglevel=error "$1")
  mkdir -p "$2"
  tar -xzf "$work/$tarball" -C "$2" --strip-components=1
  rm "$work/$tarball"
}

# commit NAME ARCH DIRECTORY [ENVIRONMENT...]: makes an image of it.
commit() {
  local container
  container=$(buildah "${options[@]}" from --pull-never scratch)
  buildah "${options[@]}" add -q "$container" "$3" / >/dev/null
  buildah "${options[@]}" config --arch "$2" --os linux "${@:4}" "$container"
  buildah "${options[@]}" commit -q --rm "$container" "$1" >/dev/null
}

# What node:24-bookworm-slim is to the Dockerfile: the binary and its licence.
node_image() {
  local arch=$1 name=localhost/portolan-node:$node_major-$1 npm_arch=${1/amd64/x64}
  image_exists "$name" && return
  say "making $name from npm's node-linux-$npm_arch@$node_major"
  npm_package "node-linux-$npm_arch@$node_major" "$work/node-$arch"
  mkdir -p "$work/root-$arch/usr/local"
  cp -r "$work/node-$arch/bin" "$work/node-$arch/LICENSE" "$work/root-$arch/usr/local/"
  commit "$name" "$arch" "$work/root-$arch"
}

# buildah runs the Dockerfile up to the stage that the options name, all of it by default. BuildKit sets BUILDPLATFORM by itself.
run_dockerfile() {
  local name=$1 arch=$2 base=$3
  shift 3
  buildah "${options[@]}" build --isolation chroot --pull-never --platform "linux/$arch" --build-arg "BUILDPLATFORM=linux/$machine" \
    --build-arg "BUILD_IMAGE=$base" --build-arg "NODE_IMAGE=localhost/portolan-node:$node_major-$arch" "$@" -t "$name" . >"$work/log" 2>&1 &&
    return
  cat "$work/log" >&2
  say "building $name: FAILED"
  exit 1
}

# What node:24-bookworm is to it: Debian with Node.js, its headers and npm. It trusts whom this machine trusts, as the way to
# the package registry may lead through a proxy. And it has the tools already, for one more architecture or none: that stage
# then has nothing left to do. Named by what it is made of.
build_image() {
  local arch=$1 root=$work/build
  made_of=$(cat deploy/setup.sh deploy/image.sh deploy/image/build.sh | sha256sum | cut -c1-12)
  tools=localhost/portolan-build:$made_of-$arch
  image_exists "$tools" && return
  say "making $tools with mmdebstrap"
  mmdebstrap --quiet --variant=minbase --include=ca-certificates bookworm "$root"
  npm_package "node-linux-${machine/amd64/x64}@$node_major" "$work/node"
  cp -r "$work/node/bin" "$work/node/include" "$work/node/LICENSE" "$root/usr/local/"
  npm_package "npm@$npm_major" "$root/usr/local/lib/node_modules/npm"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
  chmod +x "$root/usr/local/lib/node_modules/npm/bin/npm-cli.js"
  echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/unsafe-io" # an image that is not finished is thrown away
  cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
  commit "$tools-bare" "$machine" "$root" --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    --env NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
  run_dockerfile "$tools" "$machine" "$tools-bare" --target tools --build-arg "TARGETARCH=$arch"
  buildah "${options[@]}" rmi "$tools-bare" >/dev/null
}

build() {
  local arch=$1 version revision name begun=$SECONDS
  version=$(node -p 'require("./package.json").version')
  revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
  name=localhost/portolan:$version-$arch
  say "building $name"
  run_dockerfile "$name" "$arch" "$tools" --build-arg "VERSION=$version" --build-arg "REVISION=$revision"
  say "built $name in $((SECONDS - begun)) s"
  echo "$arch $name ${options[*]}"
}

# What these have replaced, and the stages' containers, which buildah leaves behind. Containers of finished images are others'.
tidy() {
  local left name
  buildah "${options[@]}" containers --noheading --format '{{.ContainerID}} {{.ImageName}}' | grep -v ' localhost/portolan:' |
    while read -r left name; do buildah "${options[@]}" rm "$left" >/dev/null; done || true
  buildah "${options[@]}" images --noheading --format '{{.Name}}:{{.Tag}}' --filter reference=localhost/portolan-build |
    grep -v ":$made_of-" | xargs -r buildah "${options[@]}" rmi >/dev/null || true
  buildah "${options[@]}" rmi --prune >/dev/null
}

machine=$(dpkg --print-architecture)
[ $# -gt 0 ] || set -- "$machine"
mkdir -p "$cache"
exec 9>"$cache/.lock"
flock 9 # two runs at once build once
storage
for arch in "$@"; do node_image "$arch"; done
# The tools for another architecture build for this one too.
foreign=$machine
for arch in "$@"; do [ "$arch" = "$machine" ] || foreign=$arch; done
build_image "$foreign"
for arch in "$@"; do build "$arch"; done
tidy
