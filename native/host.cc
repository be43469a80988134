// SPDX-License-Identifier: Apache-2.0
// detachTc(): takes one of our clsact filters away again.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <string>

#include "addon.h"
#include "error.h"
#include "fd.h"

namespace portolan {
namespace {

std::string ProgramName(uint32_t id) {
  const Fd fd(bpf_prog_get_fd_by_id(id));
  bpf_prog_info program{};
  uint32_t length = sizeof(program);
  if (!fd.valid() || bpf_obj_get_info_by_fd(fd.get(), &program, &length) < 0) return {};
  return program.name;
}

// detachTc(ifindex, direction, priority, program) -> whether there was such a filter
Napi::Value DetachTc(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const uint32_t ifindex = Uint32Argument(info, 0, "ifindex");
  const bool ingress = StringArgument(info, 1, "direction") == "ingress";
  const uint32_t priority = Uint32Argument(info, 2, "priority");
  const LibbpfLog log;
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = static_cast<int>(ifindex),
              .attach_point = ingress ? BPF_TC_INGRESS : BPF_TC_EGRESS);
  LIBBPF_OPTS(bpf_tc_opts, there, .handle = 1, .priority = priority);
  // No such device, qdisc or filter: nothing of ours is there.
  if (bpf_tc_query(&hook, &there) < 0) return Napi::Boolean::New(env, false);
  if (ProgramName(there.prog_id) != StringArgument(info, 3, "program")) return Napi::Boolean::New(env, false);
  LIBBPF_OPTS(bpf_tc_opts, filter, .handle = 1, .priority = priority);
  const int result = bpf_tc_detach(&hook, &filter);
  if (result < 0) {
    Throw(env, {.syscall = "rtnetlink(RTM_DELTFILTER)",
                .error = -result,
                .object =
                    std::string("clsact ") + (ingress ? "ingress" : "egress") + " of device " + std::to_string(ifindex),
                .log = log.text()});
  }
  return Napi::Boolean::New(env, true);
}

}  // namespace

void InitHost(Napi::Env env, Napi::Object exports) {
  exports.Set("detachTc", Napi::Function::New(env, DetachTc, "detachTc"));
}

}  // namespace portolan
