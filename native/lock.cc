// SPDX-License-Identifier: Apache-2.0
// lockFile(): an advisory lock on a file, held until closed or the process ends, whatever way it ends. The holder
// writes its process id into the file so that the next one can be told who it is.
#include <errno.h>
#include <sys/file.h>

#include <string>

#include "addon.h"
#include "error.h"
#include "fd.h"

namespace portolan {
namespace {

std::string HolderOf(int fd) {
  char text[32] = {};
  const ssize_t length = pread(fd, text, sizeof(text) - 1, 0);
  const std::string pid(text, length > 0 ? length : 0);
  return pid.empty() ? "held by another process" : "held by process " + pid.substr(0, pid.find('\n'));
}

// lockFile(path) -> release()
Napi::Value LockFile(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string path = StringArgument(info, 0, "path");
  Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!fd.valid()) Throw(env, {.syscall = "open", .error = errno, .object = path});
  if (flock(fd.get(), LOCK_EX | LOCK_NB) < 0) {
    const int error = errno;
    Throw(env,
          {.syscall = "flock", .error = error, .object = path, .hint = error == EWOULDBLOCK ? HolderOf(fd.get()) : ""});
  }
  const std::string pid = std::to_string(getpid()) + "\n";
  if (ftruncate(fd.get(), 0) < 0 || pwrite(fd.get(), pid.data(), pid.size(), 0) < 0) {
    Throw(env, {.syscall = "write", .error = errno, .object = path});
  }
  auto* held = new Fd(std::move(fd));
  Napi::Function release = Napi::Function::New(env, [held](const Napi::CallbackInfo&) { held->Close(); }, "release");
  release.AddFinalizer([](Napi::Env, Fd* lock) { delete lock; }, held);
  return release;
}

}  // namespace

void InitLock(Napi::Env env, Napi::Object exports) {
  exports.Set("lockFile", Napi::Function::New(env, LockFile, "lockFile"));
}

}  // namespace portolan
