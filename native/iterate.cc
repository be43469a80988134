// SPDX-License-Identifier: Apache-2.0
// Program.iterate(): runs an iterator program (SEC("iter/...")) over the objects of one network namespace, and destroys
// the sockets it names if asked to. A thread of its own enters the namespace and ends there, so no thread of
// Node.js ever leaves the agent's.
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <new>
#include <thread>
#include <vector>

#include "addon.h"
#include "error.h"
#include "fd.h"
#include "netns.h"
#include "program.h"

namespace portolan {
namespace {

/** What an iterator writes for a socket that is to be destroyed. */
struct NamedSocket {
  uint16_t family;
  uint16_t protocol;
  inet_diag_sockid id;
};

struct DestroyRequest {
  nlmsghdr header;
  inet_diag_req_v2 body;
};

/** Positive errno, or 0: by tuple and cookie, in the namespace of the descriptor (sock_diag(7)). */
int DestroySocket(int sock_diag, const NamedSocket& named) {
  DestroyRequest request{};
  request.header.nlmsg_len = sizeof(request);
  request.header.nlmsg_type = SOCK_DESTROY;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  request.body.sdiag_family = static_cast<uint8_t>(named.family);
  request.body.sdiag_protocol = static_cast<uint8_t>(named.protocol);
  request.body.idiag_states = UINT32_MAX;
  request.body.id = named.id;
  if (send(sock_diag, &request, sizeof(request), 0) < 0) return errno;
  std::array<char, 512> answer;
  const ssize_t size = recv(sock_diag, answer.data(), answer.size(), 0);
  if (size < 0) return errno;
  nlmsghdr header{};
  nlmsgerr error{};
  if (static_cast<size_t>(size) < sizeof(header) + sizeof(error)) return EPROTO;
  std::memcpy(&header, answer.data(), sizeof(header));
  std::memcpy(&error, answer.data() + NLMSG_HDRLEN, sizeof(error));
  return header.nlmsg_type == NLMSG_ERROR ? -error.error : EPROTO;
}

class IterateWorker : public Napi::AsyncWorker {
 public:
  IterateWorker(Napi::Env env, Fd program, std::string name, std::string netns, bool destroy)
      : Napi::AsyncWorker(env),
        deferred_(env),
        program_(std::move(program)),
        name_(std::move(name)),
        netns_(std::move(netns)),
        destroy_(destroy) {}
  Napi::Promise promise() const { return deferred_.Promise(); }

  void Execute() override {
    std::thread walker([this] {
      try {
        if (!netns_.empty() && !Enter()) return;
        Walk();
        if (destroy_ && failure_.error == 0) DestroyNamed();
      } catch (const std::bad_alloc&) {
        errno = ENOMEM;
        Remember("read", "iterator " + name_);
      }
    });
    walker.join();
  }

  /** No thread could be had. */
  void OnError(const Napi::Error& error) override { deferred_.Reject(error.Value()); }

  void OnOK() override {
    const Napi::HandleScope scope(Env());
    if (failure_.error == 0) {
      Napi::Uint8Array bytes = Napi::Uint8Array::New(Env(), written_.size());
      std::copy(written_.begin(), written_.end(), bytes.Data());
      return deferred_.Resolve(bytes);
    }
    try {
      Throw(Env(), failure_);
    } catch (const Napi::Error& error) {
      deferred_.Reject(error.Value());
    }
  }

 private:
  void Walk() {
    const Fd link(bpf_link_create(program_.get(), 0, BPF_TRACE_ITER, nullptr));
    if (!link.valid()) return Remember("bpf(BPF_LINK_CREATE)", name_);
    const Fd iterator(bpf_iter_create(link.get()));
    if (!iterator.valid()) return Remember("bpf(BPF_ITER_CREATE)", name_);
    std::array<uint8_t, 16384> chunk;
    for (;;) {
      const ssize_t count = read(iterator.get(), chunk.data(), chunk.size());
      if (count == 0) return;
      if (count > 0) written_.insert(written_.end(), chunk.begin(), chunk.begin() + count);
      // EAGAIN: the kernel pauses after a million objects that wrote nothing.
      if (count < 0 && errno != EAGAIN && errno != EINTR) return Remember("read", "iterator " + name_);
    }
  }

  /** What it named is done, or gone, or has become another socket. */
  void DestroyNamed() {
    const Fd sock_diag(socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
    if (!sock_diag.valid()) return Remember("socket", "NETLINK_SOCK_DIAG");
    for (size_t at = 0; at + sizeof(NamedSocket) <= written_.size(); at += sizeof(NamedSocket)) {
      NamedSocket named{};
      std::memcpy(&named, written_.data() + at, sizeof(named));
      errno = DestroySocket(sock_diag.get(), named);
      if (errno != 0 && errno != ENOENT && errno != ESTALE) return Remember("SOCK_DESTROY", "sock_diag");
    }
  }

  bool Enter() {
    const std::optional<Failure> failure = EnterNetns(netns_);
    if (failure) failure_ = *failure;
    return !failure;
  }

  void Remember(const char* syscall, const std::string& object) {
    failure_ = {.syscall = syscall, .error = errno, .object = object};
  }

  Napi::Promise::Deferred deferred_;
  Fd program_;
  std::string name_;
  /** Empty: the agent's own. */
  std::string netns_;
  bool destroy_;
  std::vector<uint8_t> written_;
  Failure failure_;
};

}  // namespace

// iterate(netnsPath | undefined, destroy) -> promise of what the program wrote
Napi::Value Program::Iterate(const Napi::CallbackInfo& info) {
  Fd own(fcntl(fd("BPF_LINK_CREATE"), F_DUPFD_CLOEXEC, 0));
  if (!own.valid()) Fail("BPF_LINK_CREATE", errno);
  const std::string netns = info[0].IsUndefined() ? std::string() : StringArgument(info, 0, "netnsPath");
  auto* worker = new IterateWorker(info.Env(), std::move(own), name_, netns, info[1].ToBoolean().Value());
  worker->Queue();
  return worker->promise();
}

}  // namespace portolan
