// SPDX-License-Identifier: Apache-2.0
// A file descriptor with one owner, closed when it goes.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <utility>

namespace portolan {

class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    Close();
    fd_ = std::exchange(other.fd_, -1);
    return *this;
  }
  ~Fd() { Close(); }

  /** A second descriptor of the same thing, close-on-exec. Invalid if the kernel refuses (errno is set). */
  static Fd Duplicate(int fd) { return Fd(fcntl(fd, F_DUPFD_CLOEXEC, 3)); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

}  // namespace portolan
