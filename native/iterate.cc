// SPDX-License-Identifier: Apache-2.0
// Program.iterate(): runs an iterator program (SEC("iter/...")) over the objects of one network namespace. A thread of
// its own enters the namespace and ends there, so no thread of Node.js ever leaves the agent's.
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <thread>
#include <vector>

#include "addon.h"
#include "error.h"
#include "fd.h"
#include "program.h"

namespace portolan {
namespace {

class IterateWorker : public Napi::AsyncWorker {
 public:
  IterateWorker(Napi::Env env, Fd program, std::string name, std::string netns)
      : Napi::AsyncWorker(env),
        deferred_(env),
        program_(std::move(program)),
        name_(std::move(name)),
        netns_(std::move(netns)) {}
  Napi::Promise promise() const { return deferred_.Promise(); }

  void Execute() override {
    std::thread walker([this] { Walk(); });
    walker.join();
  }

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
    if (!netns_.empty() && !Enter()) return;
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

  bool Enter() {
    const Fd netns(open(netns_.c_str(), O_RDONLY | O_CLOEXEC));
    if (!netns.valid()) {
      Remember("open", netns_);
      return false;
    }
    if (setns(netns.get(), CLONE_NEWNET) < 0) {
      Remember("setns", netns_, errno == EPERM ? "needs CAP_SYS_ADMIN" : "");
      return false;
    }
    return true;
  }

  void Remember(const char* syscall, const std::string& object, const std::string& hint = {}) {
    failure_ = {.syscall = syscall, .error = errno, .object = object, .hint = hint};
  }

  Napi::Promise::Deferred deferred_;
  Fd program_;
  std::string name_;
  /** Empty: the agent's own. */
  std::string netns_;
  std::vector<uint8_t> written_;
  Failure failure_;
};

}  // namespace

// iterate(netnsPath | undefined) -> promise of what the program wrote
Napi::Value Program::Iterate(const Napi::CallbackInfo& info) {
  Fd own(fcntl(fd("BPF_LINK_CREATE"), F_DUPFD_CLOEXEC, 0));
  if (!own.valid()) Fail("BPF_LINK_CREATE", errno);
  const std::string netns = info[0].IsUndefined() ? std::string() : StringArgument(info, 0, "netnsPath");
  auto* worker = new IterateWorker(info.Env(), std::move(own), name_, netns);
  worker->Queue();
  return worker->promise();
}

}  // namespace portolan
