#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Compiles every bpf/NAME.bpf.c to build/bpf/NAME.bpf.o (BTF kept, DWARF stripped), then writes the TypeScript codec of
# the structs in abi.h from that BTF. CLANG and LLVM_STRIP choose other tools.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

clang=${CLANG:-clang-19}
strip=${LLVM_STRIP:-llvm-strip-19}
for tool in "$clang" "$strip"; do
  command -v "$tool" >/dev/null && continue
  echo "bpf/build.sh: $tool is not there; CLANG and LLVM_STRIP name another one" >&2
  exit 1
done
case $(uname -m) in
  x86_64) arch=x86 ;;
  aarch64) arch=arm64 ;;
  *) echo "bpf/build.sh: no BPF target architecture is known for $(uname -m)" >&2; exit 1 ;;
esac

mkdir -p build/bpf
for source in bpf/*.bpf.c; do
  object=build/bpf/$(basename "$source" .c).o
  # asm/types.h is in the multiarch directory, which clang does not search for -target bpf.
  "$clang" -g -O2 -Wall -Werror -target bpf -mcpu=v3 "-D__TARGET_ARCH_$arch" \
    -idirafter "/usr/include/$(uname -m)-linux-gnu" -c "$source" -o "$object.new"
  "$strip" -g "$object.new"
  mv "$object.new" "$object" # a process that opens it meanwhile sees the old or the new one
done

node_modules/.bin/tsx src/datapath/ebpf/gen-abi.ts build/bpf/abi.bpf.o
