// SPDX-License-Identifier: Apache-2.0
// Failures become exceptions of TypeScript's making; libbpf's messages are collected for them.
#include "error.h"

#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdio.h>

#include "addon.h"

namespace portolan {
namespace {

// libbpf has one print callback for the whole process; each thread (worker threads too) collects its own text.
thread_local std::string* sink = nullptr;

int Collect(enum libbpf_print_level level, const char* format, va_list args) {
  if (level != LIBBPF_WARN || sink == nullptr) return 0;
  va_list again;
  va_copy(again, args);
  const int length = vsnprintf(nullptr, 0, format, again);
  va_end(again);
  if (length <= 0) return 0;
  const size_t before = sink->size();
  sink->resize(before + length + 1);
  vsnprintf(sink->data() + before, length + 1, format, args);
  sink->resize(before + length);
  return length;
}

Napi::Value TextOrUndefined(Napi::Env env, const std::string& text) {
  return text.empty() ? env.Undefined() : Napi::String::New(env, text);
}

}  // namespace

void Throw(Napi::Env env, const Failure& failure) {
  const auto& factory = env.GetInstanceData<AddonData>()->error_factory;
  if (factory.IsEmpty()) throw Napi::Error::New(env, failure.syscall + ": errno " + std::to_string(failure.error));
  const Napi::Value error = factory.Call({Napi::String::New(env, failure.syscall),
                                          Napi::Number::New(env, -failure.error), TextOrUndefined(env, failure.object),
                                          TextOrUndefined(env, failure.hint), TextOrUndefined(env, failure.log)});
  throw Napi::Error(env, error);
}

LibbpfLog::LibbpfLog() : outer_(sink) {
  static const libbpf_print_fn_t once = libbpf_set_print(Collect);
  static_cast<void>(once);
  sink = &text_;
}

LibbpfLog::~LibbpfLog() { sink = outer_; }

}  // namespace portolan
