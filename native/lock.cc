// SPDX-License-Identifier: Apache-2.0
// lockDirectory(): an advisory lock on a directory, held until released or the process ends, whatever way it ends. A
// directory, because a bpffs takes no files: so the lock is on the pins themselves.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <fstream>
#include <string>

#include "addon.h"
#include "error.h"
#include "fd.h"

namespace portolan {
namespace {

/** /proc/locks: `1: FLOCK  ADVISORY  WRITE 4711 00:1c:5678 0 EOF`, the process as this pid namespace sees it. */
std::string HolderOf(int fd) {
  struct stat held{};
  if (fstat(fd, &held) < 0) return "held by another process";
  char inode[64];
  snprintf(inode, sizeof(inode), "%02x:%02x:%lu", major(held.st_dev), minor(held.st_dev), held.st_ino);
  std::ifstream locks("/proc/locks");
  std::string number, kind, mode, access, pid, place, rest;
  while (locks >> number >> kind >> mode >> access >> pid >> place && std::getline(locks, rest)) {
    if (kind == "FLOCK" && place == inode) return "held by process " + pid;
  }
  return "held by another process";
}

// lockDirectory(path) -> release()
Napi::Value LockDirectory(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string path = StringArgument(info, 0, "path");
  Fd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) Throw(env, {.syscall = "open", .error = errno, .object = path});
  if (flock(fd.get(), LOCK_EX | LOCK_NB) < 0) {
    const int error = errno;
    Throw(env,
          {.syscall = "flock", .error = error, .object = path, .hint = error == EWOULDBLOCK ? HolderOf(fd.get()) : ""});
  }
  auto* held = new Fd(std::move(fd));
  Napi::Function release = Napi::Function::New(env, [held](const Napi::CallbackInfo&) { held->Close(); }, "release");
  release.AddFinalizer([](Napi::Env, Fd* lock) { delete lock; }, held);
  return release;
}

}  // namespace

void InitLock(Napi::Env env, Napi::Object exports) {
  exports.Set("lockDirectory", Napi::Function::New(env, LockDirectory, "lockDirectory"));
}

}  // namespace portolan
