// SPDX-License-Identifier: Apache-2.0
// Netlink sockets: a fresh one for each dump, one on libuv's poll for changes.
#include "netlink.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cstring>
#include <vector>

#include "addon.h"
#include "error.h"
#include "netlink_parse.h"

namespace portolan {
namespace {

constexpr size_t kBuffer = 65536;    // the kernel's dumps come in parts of at most 32 KiB
constexpr int kReadsPerWakeup = 64;  // then other events of the loop have their turn
constexpr int kDumpAttempts = 5;     // a dump that was interrupted by a change starts again
constexpr uint32_t kGroups =
    RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;

Fd OpenSocket(Napi::Env env, uint32_t groups, int flags) {
  Fd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | flags, NETLINK_ROUTE));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = groups;
  if (!fd.valid() || bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) < 0) {
    Throw(env, {.syscall = "socket(NETLINK_ROUTE)", .error = errno});
  }
  return fd;
}

/** One datagram from the kernel; others' are dropped (returns 0). -1 with errno. */
ssize_t Receive(int fd, std::vector<char>* buffer) {
  sockaddr_nl from{};
  socklen_t length = sizeof(from);
  buffer->resize(kBuffer);
  const ssize_t size = recvfrom(fd, buffer->data(), buffer->size(), 0, reinterpret_cast<sockaddr*>(&from), &length);
  return size > 0 && from.nl_pid != 0 ? 0 : size;
}

enum class DumpState { kMore, kDone, kInterrupted };

/** Appends what is in one part of a dump. Sets *error when the kernel refuses. */
DumpState ReadPart(Napi::Env env, const std::vector<char>& buffer, ssize_t size, Napi::Array list, int* error) {
  DumpState state = DumpState::kMore;
  auto* message = reinterpret_cast<const nlmsghdr*>(buffer.data());
  for (; NLMSG_OK(message, size); message = NLMSG_NEXT(message, size)) {
    if (message->nlmsg_flags & NLM_F_DUMP_INTR) state = DumpState::kInterrupted;
    if (message->nlmsg_type == NLMSG_DONE) return state == DumpState::kInterrupted ? state : DumpState::kDone;
    if (message->nlmsg_type == NLMSG_ERROR) {
      *error = -static_cast<const nlmsgerr*>(NLMSG_DATA(message))->error;
      return DumpState::kDone;
    }
    if (const auto parsed = ParseNetlinkMessage(env, message)) list.Set(list.Length(), parsed->body);
  }
  return state;
}

DumpState DumpOnce(Napi::Env env, uint16_t type, Napi::Array list) {
  const Fd fd = OpenSocket(env, 0, 0);
  struct {
    nlmsghdr header;
    rtgenmsg body;
  } request{};
  request.header.nlmsg_len = NLMSG_LENGTH(sizeof(request.body));
  request.header.nlmsg_type = type;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.body.rtgen_family = AF_UNSPEC;
  if (send(fd.get(), &request, request.header.nlmsg_len, 0) < 0)
    Throw(env, {.syscall = "send(rtnetlink)", .error = errno});
  std::vector<char> buffer;
  for (;;) {
    const ssize_t size = Receive(fd.get(), &buffer);
    if (size < 0) Throw(env, {.syscall = "recv(rtnetlink)", .error = errno});
    int error = 0;
    const DumpState state = ReadPart(env, buffer, size, list, &error);
    if (error != 0) Throw(env, {.syscall = "rtnetlink dump", .error = error});
    if (state != DumpState::kMore) return state;
  }
}

Napi::Object EventObject(Napi::Env env, const NetlinkMessage& message) {
  Napi::Object event = Napi::Object::New(env);
  event.Set("kind", message.kind);
  event.Set("removed", message.removed);
  event.Set(message.kind, message.body);
  return event;
}

}  // namespace

struct Netlink::Watcher {
  Watcher(Netlink* owner, Fd socket, const Napi::Function& on_event)
      : owner(owner),
        env(owner->Env()),
        fd(std::move(socket)),
        callback(Napi::Persistent(on_event)),
        context(env, "portolan.netlink") {}

  Netlink* owner;
  Napi::Env env;
  Fd fd;
  Napi::FunctionReference callback;
  Napi::AsyncContext context;
  uv_poll_t poll{};
  napi_async_cleanup_hook_handle cleanup = nullptr;
  bool closing = false;

  /** 0, or a negative errno: then nothing was started. */
  int Start() {
    uv_loop_t* loop = nullptr;
    napi_get_uv_event_loop(env, &loop);
    const int result = uv_poll_init(loop, &poll, fd.get());
    if (result < 0) return result;
    poll.data = this;
    uv_poll_start(&poll, UV_READABLE, OnReadable);
    // A worker thread may end while we watch: its loop is drained only if the poll handle is closed first.
    napi_add_async_cleanup_hook(env, OnTeardown, this, &cleanup);
    return 0;
  }

  void Stop() {
    if (closing) return;
    closing = true;
    owner->watcher_ = nullptr;
    uv_close(reinterpret_cast<uv_handle_t*>(&poll), [](uv_handle_t* handle) {
      auto* self = static_cast<Watcher*>(handle->data);
      const napi_async_cleanup_hook_handle cleanup = self->cleanup;
      const Napi::HandleScope scope(self->env);
      delete self;
      napi_remove_async_cleanup_hook(cleanup);
    });
  }

  static void OnTeardown(napi_async_cleanup_hook_handle, void* data) { static_cast<Watcher*>(data)->Stop(); }

  static void OnReadable(uv_poll_t* handle, int, int) {
    auto* self = static_cast<Watcher*>(handle->data);
    const Napi::HandleScope scope(self->env);
    std::vector<char> buffer;
    for (int i = 0; i < kReadsPerWakeup && !self->closing; i++) {
      const ssize_t size = Receive(self->fd.get(), &buffer);
      if (size < 0 && errno == ENOBUFS) {
        self->Overrun();
      } else if (size < 0) {
        return;  // EAGAIN: all read
      } else {
        self->Deliver(buffer, size);
      }
    }
  }

  void Overrun() {
    Napi::Object event = Napi::Object::New(env);
    event.Set("kind", "overrun");
    Emit(event);
  }

  void Deliver(const std::vector<char>& buffer, ssize_t size) {
    auto* message = reinterpret_cast<const nlmsghdr*>(buffer.data());
    for (; NLMSG_OK(message, size) && !closing; message = NLMSG_NEXT(message, size)) {
      if (const auto parsed = ParseNetlinkMessage(env, message)) Emit(EventObject(env, *parsed));
    }
  }

  void Emit(const Napi::Object& event) {
    try {
      callback.MakeCallback(env.Global(), {event}, context);
    } catch (const Napi::Error& error) {
      // Nobody is there to catch it below libuv: as any listener's error it is an uncaught exception.
      napi_fatal_exception(env, error.Value());
    }
  }
};

void Netlink::Init(Napi::Env env, Napi::Object exports) {
  exports.Set("Netlink", DefineClass(env, "Netlink",
                                     {InstanceMethod<&Netlink::Dump>("dump"), InstanceMethod<&Netlink::Watch>("watch"),
                                      InstanceMethod<&Netlink::Close>("close")}));
}

Netlink::Netlink(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Netlink>(info) {}

Netlink::~Netlink() { StopWatching(); }

// dump("link" | "address" | "route") -> LinkInfo[] | AddressInfo[] | RouteInfo[]
Napi::Value Netlink::Dump(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string kind = StringArgument(info, 0, "kind");
  const uint16_t type = kind == "link" ? RTM_GETLINK : kind == "address" ? RTM_GETADDR : RTM_GETROUTE;
  for (int attempt = 0; attempt < kDumpAttempts; attempt++) {
    Napi::Array list = Napi::Array::New(env);
    if (DumpOnce(env, type, list) == DumpState::kDone) return list;
  }
  Throw(env, {.syscall = "rtnetlink dump", .error = EINTR, .object = kind, .hint = "it keeps changing meanwhile"});
}

// watch(onEvent, receiveBuffer)
void Netlink::Watch(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsFunction()) throw Napi::TypeError::New(env, "onEvent must be a function");
  if (watcher_ != nullptr) Throw(env, {.syscall = "watch", .error = EBUSY, .object = "rtnetlink"});
  const int room = static_cast<int>(Uint32Argument(info, 1, "receiveBuffer"));
  Fd fd = OpenSocket(env, kGroups, SOCK_NONBLOCK);
  // Beyond the system's limit with CAP_NET_ADMIN only; a smaller buffer only means earlier overruns.
  if (setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0) {
    setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
  }
  auto watcher = std::make_unique<Watcher>(this, std::move(fd), info[0].As<Napi::Function>());
  const int result = watcher->Start();
  if (result < 0) Throw(env, {.syscall = "uv_poll_init", .error = -result, .object = "rtnetlink"});
  watcher_ = watcher.release();
  Ref();
}

void Netlink::StopWatching() {
  if (watcher_ != nullptr) watcher_->Stop();
}

void Netlink::Close(const Napi::CallbackInfo& /*info*/) {
  if (watcher_ == nullptr) return;
  StopWatching();
  Unref();
}

}  // namespace portolan
