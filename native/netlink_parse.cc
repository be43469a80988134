// SPDX-License-Identifier: Apache-2.0
// Attributes of links, addresses and routes (rtnetlink(7)); lengths are checked before anything is read.
#include "netlink_parse.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

namespace portolan {
namespace {

/** The attributes of one message by type; later ones win. */
class Attributes {
 public:
  Attributes(const void* first, int length) {
    for (auto* at = static_cast<const rtattr*>(first); RTA_OK(at, length); at = RTA_NEXT(at, length)) {
      const unsigned type = at->rta_type & NLA_TYPE_MASK;
      if (type < found_.size()) found_[type] = at;
    }
  }

  const rtattr* Find(unsigned type) const { return found_[type]; }

  uint32_t Uint32(unsigned type, uint32_t otherwise = 0) const {
    uint32_t value = otherwise;
    if (Size(type) >= sizeof(value)) std::memcpy(&value, RTA_DATA(found_[type]), sizeof(value));
    return value;
  }

  std::string Text(unsigned type) const {
    if (found_[type] == nullptr) return {};
    const char* text = static_cast<const char*>(RTA_DATA(found_[type]));
    return {text, strnlen(text, Size(type))};
  }

  Napi::Value Bytes(Napi::Env env, unsigned type, size_t skip = 0) const {
    if (found_[type] == nullptr || Size(type) < skip) return env.Undefined();
    Napi::Uint8Array bytes = Napi::Uint8Array::New(env, Size(type) - skip);
    std::copy_n(static_cast<const uint8_t*>(RTA_DATA(found_[type])) + skip, bytes.ByteLength(), bytes.Data());
    return bytes;
  }

  size_t Size(unsigned type) const { return found_[type] == nullptr ? 0 : RTA_PAYLOAD(found_[type]); }

 private:
  std::array<const rtattr*, 80> found_{};  // IFLA_MAX is the largest, 60-odd
};

template <typename Header>
Attributes AttributesAfter(const nlmsghdr* message) {
  const char* start = static_cast<const char*>(NLMSG_DATA(message)) + NLMSG_ALIGN(sizeof(Header));
  return {start, static_cast<int>(message->nlmsg_len) - static_cast<int>(NLMSG_SPACE(sizeof(Header)))};
}

std::string KindOf(const Attributes& attributes) {
  const rtattr* info = attributes.Find(IFLA_LINKINFO);
  if (info == nullptr) return {};
  return Attributes(RTA_DATA(info), RTA_PAYLOAD(info)).Text(IFLA_INFO_KIND);
}

std::optional<Napi::Object> ParseLink(Napi::Env env, const nlmsghdr* message) {
  const auto* header = static_cast<const ifinfomsg*>(NLMSG_DATA(message));
  // A bridge tells of its ports by link messages of its own family: "removed" there is only "left the bridge".
  if (header->ifi_family != AF_UNSPEC) return std::nullopt;
  const auto attributes = AttributesAfter<ifinfomsg>(message);
  const bool other_netns = attributes.Find(IFLA_LINK_NETNSID) != nullptr;
  const Napi::Value mac = attributes.Bytes(env, IFLA_ADDRESS);
  Napi::Object link = Napi::Object::New(env);
  link.Set("ifindex", header->ifi_index);
  link.Set("name", attributes.Text(IFLA_IFNAME));
  link.Set("kind", KindOf(attributes));
  link.Set("arpType", static_cast<uint32_t>(header->ifi_type));
  link.Set("master", attributes.Uint32(IFLA_MASTER));
  link.Set("link", attributes.Uint32(IFLA_LINK));
  link.Set("linkNetnsid",
           other_netns ? Napi::Value(Napi::Number::New(env, static_cast<int32_t>(attributes.Uint32(IFLA_LINK_NETNSID))))
                       : env.Undefined());
  link.Set("mac", mac.IsUndefined() ? Napi::Value(Napi::Uint8Array::New(env, 0)) : mac);
  link.Set("mtu", attributes.Uint32(IFLA_MTU));
  link.Set("up", (header->ifi_flags & IFF_UP) != 0);
  return link;
}

std::optional<Napi::Object> ParseAddress(Napi::Env env, const nlmsghdr* message) {
  const auto* header = static_cast<const ifaddrmsg*>(NLMSG_DATA(message));
  if (header->ifa_family != AF_INET && header->ifa_family != AF_INET6) return std::nullopt;
  const auto attributes = AttributesAfter<ifaddrmsg>(message);
  // On point-to-point links IFA_ADDRESS is the peer's address and IFA_LOCAL ours; IPv6 has IFA_LOCAL only then.
  const Napi::Value address = attributes.Bytes(env, attributes.Find(IFA_LOCAL) ? IFA_LOCAL : IFA_ADDRESS);
  if (address.IsUndefined()) return std::nullopt;
  Napi::Object result = Napi::Object::New(env);
  result.Set("ifindex", header->ifa_index);
  result.Set("address", address);
  result.Set("prefixLength", static_cast<uint32_t>(header->ifa_prefixlen));
  result.Set("scope", static_cast<uint32_t>(header->ifa_scope));
  result.Set("flags", attributes.Uint32(IFA_FLAGS, header->ifa_flags));
  return result;
}

/** The first next hop of a multipath route, as attributes and device, and the others' devices; of a plain route its
 * own. */
struct NextHop {
  uint32_t ifindex;
  Napi::Value gateway;
  std::vector<uint32_t> others;
};

Napi::Value GatewayIn(Napi::Env env, const Attributes& attributes) {
  if (attributes.Find(RTA_GATEWAY)) return attributes.Bytes(env, RTA_GATEWAY);
  // RTA_VIA: an IPv6 gateway of an IPv4 route, after two bytes of family
  return attributes.Bytes(env, RTA_VIA, sizeof(__kernel_sa_family_t));
}

NextHop NextHopOf(Napi::Env env, const Attributes& attributes) {
  if (attributes.Size(RTA_MULTIPATH) < sizeof(rtnexthop)) {
    return {attributes.Uint32(RTA_OIF), GatewayIn(env, attributes), {}};
  }
  const auto* hop = static_cast<const rtnexthop*>(RTA_DATA(attributes.Find(RTA_MULTIPATH)));
  int left = static_cast<int>(attributes.Size(RTA_MULTIPATH));
  const int length = std::min<int>(hop->rtnh_len, left) - static_cast<int>(RTNH_LENGTH(0));
  NextHop first{static_cast<uint32_t>(hop->rtnh_ifindex), GatewayIn(env, Attributes(RTNH_DATA(hop), length)), {}};
  for (;;) {
    left -= RTNH_ALIGN(hop->rtnh_len);
    hop = RTNH_NEXT(hop);
    if (left < static_cast<int>(sizeof(rtnexthop)) || !RTNH_OK(hop, left)) return first;
    first.others.push_back(hop->rtnh_ifindex);
  }
}

std::optional<Napi::Object> ParseRoute(Napi::Env env, const nlmsghdr* message) {
  const auto* header = static_cast<const rtmsg*>(NLMSG_DATA(message));
  if (header->rtm_family != AF_INET && header->rtm_family != AF_INET6) return std::nullopt;
  if (header->rtm_flags & RTM_F_CLONED) return std::nullopt;
  const auto attributes = AttributesAfter<rtmsg>(message);
  const NextHop hop = NextHopOf(env, attributes);
  Napi::Object route = Napi::Object::New(env);
  route.Set("family", header->rtm_family == AF_INET ? 4 : 6);
  route.Set("destination", attributes.Bytes(env, RTA_DST));
  route.Set("prefixLength", static_cast<uint32_t>(header->rtm_dst_len));
  route.Set("outputIfindex", hop.ifindex);
  Napi::Array others = Napi::Array::New(env, hop.others.size());
  for (uint32_t i = 0; i < hop.others.size(); i++) others[i] = hop.others[i];
  route.Set("otherIfindexes", others);
  route.Set("gateway", hop.gateway);
  route.Set("preferredSource", attributes.Bytes(env, RTA_PREFSRC));
  route.Set("table", attributes.Uint32(RTA_TABLE, header->rtm_table));
  route.Set("metric", attributes.Uint32(RTA_PRIORITY, 0));
  route.Set("type", static_cast<uint32_t>(header->rtm_type));
  return route;
}

std::optional<NetlinkMessage> Wrap(const char* kind, bool removed, const std::optional<Napi::Object>& body) {
  if (!body) return std::nullopt;
  return NetlinkMessage{kind, removed, *body};
}

template <typename Header>
bool HasHeader(const nlmsghdr* message) {
  return message->nlmsg_len >= NLMSG_LENGTH(sizeof(Header));
}

}  // namespace

std::optional<NetlinkMessage> ParseNetlinkMessage(Napi::Env env, const nlmsghdr* message) {
  const bool removed =
      message->nlmsg_type == RTM_DELLINK || message->nlmsg_type == RTM_DELADDR || message->nlmsg_type == RTM_DELROUTE;
  switch (message->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      return HasHeader<ifinfomsg>(message) ? Wrap("link", removed, ParseLink(env, message)) : std::nullopt;
    case RTM_NEWADDR:
    case RTM_DELADDR:
      return HasHeader<ifaddrmsg>(message) ? Wrap("address", removed, ParseAddress(env, message)) : std::nullopt;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      return HasHeader<rtmsg>(message) ? Wrap("route", removed, ParseRoute(env, message)) : std::nullopt;
    default:
      return std::nullopt;
  }
}

}  // namespace portolan
