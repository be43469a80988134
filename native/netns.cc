// SPDX-License-Identifier: Apache-2.0
// EnterNetns() for threads, and netnsCookie(): what bpf_get_netns_cookie() says of a network namespace.
#include "netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>

#include <system_error>
#include <thread>

#include "addon.h"
#include "fd.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

namespace portolan {

std::optional<Failure> EnterNetns(const std::string& path) {
  const Fd netns(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!netns.valid()) return Failure{.syscall = "open", .error = errno, .object = path};
  if (setns(netns.get(), CLONE_NEWNET) == 0) return std::nullopt;
  const int error = errno;
  return Failure{
      .syscall = "setns", .error = error, .object = path, .hint = error == EPERM ? "needs CAP_SYS_ADMIN" : ""};
}

namespace {

/** Of the calling thread's namespace. */
std::optional<Failure> ReadCookie(uint64_t& cookie) {
  const Fd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  socklen_t size = sizeof(cookie);
  if (fd.valid() && getsockopt(fd.get(), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) == 0) return std::nullopt;
  const int error = errno;
  return Failure{.syscall = "getsockopt",
                 .error = error,
                 .object = "SO_NETNS_COOKIE",
                 .hint = error == ENOPROTOOPT ? "needs kernel 5.14 or later" : ""};
}

// netnsCookie(path | undefined) -> bigint
Napi::Value NetnsCookie(const Napi::CallbackInfo& info) {
  uint64_t cookie = 0;
  std::optional<Failure> failure;
  if (info[0].IsUndefined()) {
    failure = ReadCookie(cookie);
  } else {
    const std::string path = StringArgument(info, 0, "path");
    try {
      std::thread visitor([&] {
        failure = EnterNetns(path);
        if (!failure) failure = ReadCookie(cookie);
      });
      visitor.join();
    } catch (const std::system_error& error) {
      failure = Failure{.syscall = "pthread_create", .error = error.code().value(), .object = path};
    }
  }
  if (failure) Throw(info.Env(), *failure);
  return Napi::BigInt::New(info.Env(), cookie);
}

}  // namespace

void InitNetns(Napi::Env env, Napi::Object exports) {
  exports.Set("netnsCookie", Napi::Function::New(env, NetnsCookie, "netnsCookie"));
}

}  // namespace portolan
