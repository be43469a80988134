# SPDX-License-Identifier: Apache-2.0
# Builds the addon (build/Release/portolan.node) against the system's libbpf.
{
  "targets": [
    {
      "target_name": "portolan",
      "sources": [
        "native/addon.cc",
        "native/btf.cc",
        "native/error.cc",
        "native/features.cc",
        "native/host.cc",
        "native/iterate.cc",
        "native/link.cc",
        "native/lock.cc",
        "native/map.cc",
        "native/map_batch.cc",
        "native/needs.cc",
        "native/netlink.cc",
        "native/netlink_parse.cc",
        "native/netns.cc",
        "native/object.cc",
        "native/pin.cc",
        "native/program.cc",
        "native/rcu.cc",
        "native/threads.cc",
      ],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=9", "NODE_ADDON_API_DISABLE_DEPRECATED", "NAPI_CPP_EXCEPTIONS"],
      "cflags": ["<!@(pkg-config --cflags libbpf)", "-fvisibility=hidden", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Wno-restrict"],
      "cflags_cc": ["-std=c++20", "-fexceptions"],
      "cflags!": ["-fno-exceptions"],
      "cflags_cc!": ["-fno-exceptions", "-std=gnu++17", "-fno-rtti"],
      "libraries": ["<!@(pkg-config --libs libbpf)"],
      "ldflags": ["-Wl,--exclude-libs,ALL"],
    }
  ]
}
