// SPDX-License-Identifier: Apache-2.0
// batchOtherThreads(): V8 compiles and collects garbage in threads of its own. Where CPUs are few, one that wakes takes
// the CPU from the thread that writes the maps, for a whole slice; of SCHED_BATCH (sched(7)) it waits for the next one.
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "addon.h"
#include "error.h"

namespace portolan {
namespace {

/** Those that were given another policy than the default keep it. Gone by now is no error. */
int MakeBatch(pid_t thread) {
  const int policy = sched_getscheduler(thread);
  const sched_param parameters{};
  const int failed = policy == SCHED_OTHER ? sched_setscheduler(thread, SCHED_BATCH, &parameters) : policy;
  return failed < 0 && errno != ESRCH ? errno : 0;
}

// batchOtherThreads()
void BatchOtherThreads(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const char* path = "/proc/self/task";
  const std::unique_ptr<DIR, int (*)(DIR*)> threads(opendir(path), closedir);
  if (!threads) Throw(env, {.syscall = "opendir", .error = errno, .object = path});
  while (const dirent* entry = readdir(threads.get())) {
    const pid_t thread = static_cast<pid_t>(strtol(entry->d_name, nullptr, 10));
    if (thread == 0 || thread == gettid()) continue;  // 0: "." and ".."
    const int error = MakeBatch(thread);
    if (error)
      Throw(env, {.syscall = "sched_setscheduler", .error = error, .object = "thread " + std::to_string(thread)});
  }
}

}  // namespace

void InitThreads(Napi::Env env, Napi::Object exports) {
  exports.Set("batchOtherThreads", Napi::Function::New(env, BatchOtherThreads, "batchOtherThreads"));
}

}  // namespace portolan
