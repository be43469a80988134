// SPDX-License-Identifier: Apache-2.0
// rtnetlink messages as plain objects: the LinkInfo, AddressInfo and RouteInfo of src/libbpf/types.ts.
#pragma once

#include <linux/netlink.h>
#include <napi.h>

#include <optional>

namespace portolan {

struct NetlinkMessage {
  /** "link", "address" or "route" */
  const char* kind;
  bool removed;
  Napi::Object body;
};

/** nullopt for what is none of ours: other families, bridge port notices, cached routes. */
std::optional<NetlinkMessage> ParseNetlinkMessage(Napi::Env env, const nlmsghdr* message);

}  // namespace portolan
