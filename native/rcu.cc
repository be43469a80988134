// SPDX-License-Identifier: Apache-2.0
// rcuSync(): a promise that settles once every program that was running when it was called has finished. The kernel
// waits for an RCU period after a map-in-map update from user space (maybe_wait_bpf_programs), so one is made for that.
#include <bpf/bpf.h>
#include <errno.h>

#include "addon.h"
#include "error.h"
#include "fd.h"

namespace portolan {
namespace {

class RcuWorker : public Napi::AsyncWorker {
 public:
  explicit RcuWorker(Napi::Env env) : Napi::AsyncWorker(env), deferred_(env) {}
  Napi::Promise promise() const { return deferred_.Promise(); }

  void Execute() override {
    const Fd inner(bpf_map_create(BPF_MAP_TYPE_ARRAY, "rcu_inner", 4, 4, 1, nullptr));
    if (!inner.valid()) return Remember("bpf(BPF_MAP_CREATE)");
    LIBBPF_OPTS(bpf_map_create_opts, options, .inner_map_fd = static_cast<uint32_t>(inner.get()));
    const Fd outer(bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "rcu_outer", 4, 4, 1, &options));
    if (!outer.valid()) return Remember("bpf(BPF_MAP_CREATE)");
    const uint32_t key = 0;
    const int value = inner.get();
    if (bpf_map_update_elem(outer.get(), &key, &value, BPF_ANY) < 0) Remember("bpf(BPF_MAP_UPDATE_ELEM)");
  }

  void OnOK() override {
    const Napi::HandleScope scope(Env());
    if (failure_.error == 0) return deferred_.Resolve(Env().Undefined());
    try {
      Throw(Env(), failure_);
    } catch (const Napi::Error& error) {
      deferred_.Reject(error.Value());
    }
  }

 private:
  void Remember(const char* syscall) {
    failure_ = {.syscall = syscall, .error = errno, .object = "rcuSync", .hint = errno == EPERM ? "needs CAP_BPF" : ""};
  }

  Napi::Promise::Deferred deferred_;
  Failure failure_;
};

Napi::Value RcuSync(const Napi::CallbackInfo& info) {
  auto* worker = new RcuWorker(info.Env());
  worker->Queue();
  return worker->promise();
}

}  // namespace

void InitRcu(Napi::Env env, Napi::Object exports) {
  exports.Set("rcuSync", Napi::Function::New(env, RcuSync, "rcuSync"));
}

}  // namespace portolan
