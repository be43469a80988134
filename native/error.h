// SPDX-License-Identifier: Apache-2.0
// The one shape in which native code reports failure: syscall, errno, the thing it was about, a hint, libbpf's own
// words. TypeScript hands over a factory at start-up and so decides the classes; here is only what happened.
#pragma once

#include <napi.h>

#include <string>

namespace portolan {

struct Failure {
  std::string syscall;
  /** Positive errno, or libbpf's 4000 and above. */
  int error = 0;
  std::string object = {};
  std::string hint = {};
  /** Everything libbpf said meanwhile, the verifier's log included. */
  std::string log = {};
};

/** Throws what the factory makes of it. */
[[noreturn]] void Throw(Napi::Env env, const Failure& failure);

/** Collects what libbpf prints on this thread at warning level while it lives; libbpf prints nowhere else. */
class LibbpfLog {
 public:
  LibbpfLog();
  ~LibbpfLog();
  LibbpfLog(const LibbpfLog&) = delete;
  LibbpfLog& operator=(const LibbpfLog&) = delete;

  const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::string* outer_;
};

}  // namespace portolan
