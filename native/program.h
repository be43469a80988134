// SPDX-License-Identifier: Apache-2.0
// A loaded BPF program by its descriptor: test run, attach, pin.
#pragma once

#include <linux/bpf.h>
#include <napi.h>

#include <string>

#include "fd.h"

namespace portolan {

class Program : public Napi::ObjectWrap<Program> {
 public:
  static void Init(Napi::Env env, Napi::Object exports);
  /** Takes over the descriptor. */
  static Napi::Object New(Napi::Env env, Fd fd, const std::string& name);
  static Program* From(const Napi::Value& value);
  explicit Program(const Napi::CallbackInfo& info);

  /** Throws when closed. */
  int fd(const char* operation);

 private:
  Napi::Value TestRun(const Napi::CallbackInfo& info);
  Napi::Value AttachTcx(const Napi::CallbackInfo& info);
  Napi::Value AttachXdp(const Napi::CallbackInfo& info);
  void AttachTc(const Napi::CallbackInfo& info);
  Napi::Value AttachCgroup(const Napi::CallbackInfo& info);
  Napi::Value Iterate(const Napi::CallbackInfo& info);
  void Pin(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);
  Napi::Value Info(const Napi::CallbackInfo& info);

  [[noreturn]] void Fail(const char* operation, int error, const std::string& hint = {});

  Fd fd_;
  std::string name_;
  bpf_prog_info info_{};
};

}  // namespace portolan
