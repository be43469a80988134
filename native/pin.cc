// SPDX-License-Identifier: Apache-2.0
// bpf(BPF_OBJ_PIN) and bpf(BPF_OBJ_GET), with hints for the usual mistakes.
#include "pin.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>

#include "error.h"

namespace portolan {
namespace {

std::string KindOf(int fd) {
  char target[PATH_MAX];
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t length = readlink(link.c_str(), target, sizeof(target));
  const std::string text(target, length > 0 ? length : 0);
  const size_t colon = text.find(':');
  const std::string kind = colon == std::string::npos ? text : text.substr(colon + 1);
  return kind == "bpf_link" ? "bpf-link" : kind;  // its name before the kernel made them all alike
}

}  // namespace

void PinAt(Napi::Env env, int fd, const std::string& path, const std::string& object) {
  if (bpf_obj_pin(fd, path.c_str()) == 0) return;
  const int error = errno;
  std::string hint;
  if (error == EEXIST) hint = "something is pinned there already";
  if (error == ENOENT) hint = "the directory does not exist";
  if (error == EPERM || error == EINVAL) hint = "the directory must be on a mounted bpffs";
  Throw(env, {.syscall = "bpf(BPF_OBJ_PIN)", .error = error, .object = object + " at " + path, .hint = hint});
}

Fd OpenPin(Napi::Env env, const std::string& path, const std::string& kind) {
  Fd fd(bpf_obj_get(path.c_str()));
  if (!fd.valid()) {
    const int error = errno;
    Throw(env, {.syscall = "bpf(BPF_OBJ_GET)",
                .error = error,
                .object = path,
                .hint = error == ENOENT ? "nothing is pinned there" : ""});
  }
  const std::string found = KindOf(fd.get());
  if (found != kind) {
    Throw(env, {.syscall = "bpf(BPF_OBJ_GET)",
                .error = EINVAL,
                .object = path,
                .hint = "expected " + kind + ", found " + found});
  }
  return fd;
}

}  // namespace portolan
