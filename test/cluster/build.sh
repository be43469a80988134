#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# test/cluster/build.sh: the real control plane of `npm run test:cluster`, built from Go modules: etcd, kube-apiserver,
# kube-proxy, CoreDNS; and Kubernetes' own protobuf schema, which ours is compared with. Each binary is kept in a cache outside the checkout, in a directory named by its version; remove
# it there to build it again. What is there already takes no time; all four take 10 minutes on two cores.
#
# `build.sh helm` builds Helm alone, which tests of the chart take, in three minutes; `build.sh seccomp` what prints
# containerd's default seccomp profile, for tests of the image, in one.
# `build.sh kubelets` builds what `npm run test:kubelets` runs besides: kubelet, kube-controller-manager, kube-scheduler, containerd
# with its shim and ctr; 10 minutes more.
#
# Prints on stdout a line for each: its name and the path of its binary; "protos" and the schema's directory.
# Exit status: 0 all there, 1 a build failed, 3 there is no Go and none to be had.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

kubernetes=v1.37.1
etcd=v3.6.16
coredns=v1.15.0
helm=v3.22.0
containerd=v2.4.2
toolchain=go1.26.8 # fetched where the machine's own go is too old to fetch one by itself

cache=${XDG_CACHE_HOME:-$HOME/.cache}/portolan/cluster
say() { echo "cluster: $*" >&2; }

# name, version, module, package of the command in it
components=(
  "etcd $etcd go.etcd.io/etcd/server/v3 go.etcd.io/etcd/server/v3"
  "kube-apiserver $kubernetes k8s.io/kubernetes k8s.io/kubernetes/cmd/kube-apiserver"
  "kube-proxy $kubernetes k8s.io/kubernetes k8s.io/kubernetes/cmd/kube-proxy"
  "coredns $coredns github.com/coredns/coredns github.com/coredns/coredns"
)
kubelets=(
  "kubelet $kubernetes k8s.io/kubernetes k8s.io/kubernetes/cmd/kubelet"
  "kube-controller-manager $kubernetes k8s.io/kubernetes k8s.io/kubernetes/cmd/kube-controller-manager"
  "kube-scheduler $kubernetes k8s.io/kubernetes k8s.io/kubernetes/cmd/kube-scheduler"
  "containerd $containerd github.com/containerd/containerd/v2 github.com/containerd/containerd/v2/cmd/containerd"
  "containerd-shim-runc-v2 $containerd github.com/containerd/containerd/v2 github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2"
  "ctr $containerd github.com/containerd/containerd/v2 github.com/containerd/containerd/v2/cmd/ctr"
)
case ${1:-} in
  helm) components=("helm $helm helm.sh/helm/v3 helm.sh/helm/v3/cmd/helm") ;;
  kubelets) components=("${kubelets[@]}") ;;
  seccomp) components=("seccomp $containerd github.com/containerd/containerd/v2 .") ;; # a program of ours over that module
esac

# fetch MODULE@VERSION FIELD: downloads the module; prints what `go mod download -json` says of it, such as its "Dir".
fetch() {
  local told
  if ! told=$(cd "$work" && go mod download -json "$1"); then
    echo "$told" >&2
    say "go mod download $1: FAILED"
    exit 1
  fi
  sed -n "s/^\t\"$2\": \"\(.*\)\",\$/\1/p" <<<"$told"
}

# Puts a go on PATH that is 1.21 or newer: from there on go fetches by itself the toolchain that a module asks for.
find_go() {
  export GOTOOLCHAIN=auto CGO_ENABLED=0
  if ! command -v go >/dev/null; then
    say "no go on PATH: installing Debian's"
    PORTOLAN_EXTRA_PACKAGES=golang-go bash deploy/setup.sh || { say "go 1.21 or newer is needed: install it"; exit 3; }
  fi
  local minor
  minor=$(go env GOVERSION | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
  [ "${minor:-0}" -ge 21 ] && return
  # Go 1.19 of Debian 12 cannot change its toolchain, but a toolchain is a module like any other, less its mode bits.
  local module root
  module=golang.org/toolchain@v0.0.1-$toolchain.linux-$(go env GOARCH)
  say "$(go env GOVERSION) is older than 1.21: fetching $toolchain as a Go module"
  root=$(fetch "$module" Dir)
  find "$root/bin" "$root/pkg/tool" -type f -exec chmod +x {} +
  export PATH="$root/bin:$PATH"
}

# Writes a module that stands in for the component's own: the Go command takes no `replace` line of a dependency, and
# Kubernetes names its staging modules by such lines only. What the component's go.mod requires is what gets built.
write_module() {
  local module=$1 version=$2 directory=$3 their
  their=$(fetch "$module@$version" GoMod)
  {
    echo "module portolan.dev/cluster"
    grep -E '^(go|godebug) ' "$their"
    echo "require $module $version"
    sed -n "s|^\t\(k8s.io/[^ ]*\) => \./staging/.*|replace \1 => \1 v0.${version#v1.}|p" "$their"
  } >"$directory/go.mod"
}

# The version that kube-apiserver and kube-proxy tell; other components have theirs in the source.
version_flags() {
  local version=$1 package=k8s.io/component-base/version rest=${1#v1.}
  echo "-X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=${rest%%.*} -X $package.gitTreeState=archive"
}

build() {
  local name=$1 version=$2 module=$3 package=$4
  local directory=$cache/$name-$version begun=$SECONDS flags="-s -w"
  [ -x "$directory/$name" ] && return
  [ -n "$go_found" ] || find_go
  go_found=yes
  say "building $name $version with $(go env GOVERSION) into $directory"
  [ "$module" = k8s.io/kubernetes ] && flags+=" $(version_flags "$version")"
  mkdir -p "$work/$name" "$directory"
  write_module "$module" "$version" "$work/$name"
  [ "$package" != . ] || cp "test/image/$name/main.go" "$work/$name/"
  if ! (cd "$work/$name" && nice go build -mod=mod -buildvcs=false -trimpath -ldflags "$flags" -o "$directory/$name.$$" "$package"); then
    rm -f "$directory/$name.$$"
    say "building $name $version: FAILED"
    exit 1
  fi
  mv "$directory/$name.$$" "$directory/$name" # whole or not at all
  say "built $name in $((SECONDS - begun)) s"
}

# The .proto files of the modules, below their import paths.
copy_protos() {
  local directory=$1 version=v0.${kubernetes#v1.} module root
  [ -d "$directory" ] && return
  [ -n "$go_found" ] || find_go
  go_found=yes
  mkdir "$work/protos"
  for module in k8s.io/api k8s.io/apimachinery; do
    root=$(fetch "$module@$version" Dir)
    mkdir -p "$work/protos/$module"
    (cd "$root" && find . -name generated.proto -exec cp --parents {} "$work/protos/$module" \;)
  done
  chmod -R u+w "$work/protos"
  rm -rf "$directory.$$"
  cp -r "$work/protos" "$directory.$$"
  mv "$directory.$$" "$directory" # whole or not at all
}

go_found=
mkdir -p "$cache"
exec 9>"$cache/.lock${1:+-$1}" # of its own for each set: the others need not wait
flock 9 # two runs at once build once
work=$(mktemp -d "${TMPDIR:-/tmp}/pt-cluster.XXXXXX")
trap 'rm -rf "$work"' EXIT
for component in "${components[@]}"; do
  read -r name version module package <<<"$component"
  build "$name" "$version" "$module" "$package"
  echo "$name $cache/$name-$version/$name"
done
[ $# -eq 0 ] || exit 0
copy_protos "$cache/protos-$kubernetes"
echo "protos $cache/protos-$kubernetes"
