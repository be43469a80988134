#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Types, format and rules of every language here, SPDX lines and import arrows. Runs all parts, then fails if one did.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export PORTOLAN_EXTRA_PACKAGES="clang-format-19 clang-tidy-19"
failed=()
part() {
  local name=$1
  shift
  echo "lint: $name" >&2
  "$@" || failed+=("$name")
}

# The slow part: skipped while native/ is as it was when it last passed.
clang_tidy() {
  local include hash stamp=build/stamp.clang-tidy
  hash=$(cat .clang-tidy native/* | sha256sum)
  [ "$(cat "$stamp" 2>/dev/null)" = "$hash" ] && return
  include=$(node -p 'require("node-addon-api").include_dir') || return
  # shellcheck disable=SC2046 # several words
  printf '%s\0' native/*.cc | xargs -0 -P"$(nproc)" -I{} clang-tidy-19 --quiet {} -- -std=c++20 -fexceptions -DNAPI_VERSION=9 -DNAPI_CPP_EXCEPTIONS \
    -DNODE_ADDON_API_DISABLE_DEPRECATED "-isystem$include" "-isystem$(node_headers)" $(pkg-config --cflags libbpf) 2>/dev/null &&
    echo "$hash" >"$stamp"
}

# Headers that came with Node.js, else those that node-gyp downloaded for the build.
node_headers() {
  local prefix candidate
  prefix=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")
  for candidate in "$prefix/include/node" "$HOME/.cache/node-gyp/$(node -p process.versions.node)/include/node"; do
    [ -e "$candidate/node_api.h" ] && echo "$candidate" && return
  done
}

part "set-up" bash deploy/setup.sh
part "types (tsc)" node_modules/.bin/tsc -p .
part "TypeScript (biome)" node_modules/.bin/biome check --error-on-warnings .
part "C and C++ format (clang-format)" clang-format-19 --dry-run -Werror bpf/*.c bpf/*.h native/*.cc native/*.h
part "C++ (clang-tidy)" clang_tidy
part "SPDX lines, file sizes, import arrows" node_modules/.bin/vitest run --project unit test/unit/house

if [ ${#failed[@]} -gt 0 ]; then
  printf 'lint: failed: %s\n' "${failed[@]}" >&2
  exit 1
fi
echo "lint: clean" >&2
