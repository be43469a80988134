// SPDX-License-Identifier: Apache-2.0
// rtnetlink of the process's network namespace: dumps on request, and changes from the event loop.
#pragma once

#include <napi.h>
#include <uv.h>

#include <memory>

#include "fd.h"

namespace portolan {

class Netlink : public Napi::ObjectWrap<Netlink> {
 public:
  static void Init(Napi::Env env, Napi::Object exports);
  explicit Netlink(const Napi::CallbackInfo& info);
  ~Netlink() override;

 private:
  /** What libuv holds: it outlives the object until uv_close is done. */
  struct Watcher;

  Napi::Value Dump(const Napi::CallbackInfo& info);
  void Watch(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);
  void StopWatching();

  Watcher* watcher_ = nullptr;
};

}  // namespace portolan
