// SPDX-License-Identifier: Apache-2.0
// A BPF link: an attachment that lives as long as a descriptor or a pin of it.
#pragma once

#include <napi.h>

#include <string>

#include "fd.h"

namespace portolan {

class Link : public Napi::ObjectWrap<Link> {
 public:
  static void Init(Napi::Env env, Napi::Object exports);
  /** where: what it is attached to, for messages. */
  static Napi::Object New(Napi::Env env, Fd fd, const std::string& where);
  explicit Link(const Napi::CallbackInfo& info);

 private:
  void Update(const Napi::CallbackInfo& info);
  void Pin(const Napi::CallbackInfo& info);
  void Detach(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);
  Napi::Value Info(const Napi::CallbackInfo& info);

  int fd(const char* operation);
  [[noreturn]] void Fail(const char* operation, int error, const std::string& hint = {});

  Fd fd_;
  std::string where_;
};

}  // namespace portolan
