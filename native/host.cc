// SPDX-License-Identifier: Apache-2.0
// detachTc(): takes one of our clsact filters away again. connectPrograms(): whose programs choose for connect().
// tcPrograms(): whose see packets of devices.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>

#include <array>
#include <string>

#include "addon.h"
#include "error.h"
#include "fd.h"

namespace portolan {
namespace {

constexpr size_t kMostPrograms = 64;  // on one cgroup and those above it, of one type: the kernel's limit for each

// Zeroes of one that is gone, or that we may not look at.
bpf_prog_info ProgramInfo(uint32_t id) {
  const Fd fd(bpf_prog_get_fd_by_id(id));
  bpf_prog_info program{};
  uint32_t length = sizeof(program);
  if (!fd.valid() || bpf_obj_get_info_by_fd(fd.get(), &program, &length) < 0) return {};
  return program;
}

std::string ProgramName(uint32_t id) { return ProgramInfo(id).name; }

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

// connectPrograms(cgroup) -> names, as far as the kernel keeps them (15 characters); "" of one that we may not look at
Napi::Value ConnectPrograms(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string path = StringArgument(info, 0, "cgroup");
  const Fd cgroup(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!cgroup.valid()) Throw(env, {.syscall = "open", .error = errno, .object = path});
  Napi::Array names = Napi::Array::New(env);
  for (const bpf_attach_type type : {BPF_CGROUP_INET4_CONNECT, BPF_CGROUP_INET6_CONNECT}) {
    std::array<uint32_t, kMostPrograms> ids{};
    uint32_t count = ids.size();
    // Those of the cgroups above it count as well.
    if (bpf_prog_query(cgroup.get(), type, BPF_F_QUERY_EFFECTIVE, nullptr, ids.data(), &count) < 0) {
      Throw(env, {.syscall = "bpf(BPF_PROG_QUERY)", .error = errno, .object = "cgroup " + path});
    }
    for (uint32_t i = 0; i < count; i++) names.Set(names.Length(), ProgramName(ids[i]));
  }
  return names;
}

// tcPrograms() -> names of those that are loaded, as far as the kernel keeps them
Napi::Value TcPrograms(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Array names = Napi::Array::New(env);
  uint32_t id = 0;
  while (bpf_prog_get_next_id(id, &id) == 0) {
    const bpf_prog_info program = ProgramInfo(id);
    if (program.type == BPF_PROG_TYPE_SCHED_CLS) names.Set(names.Length(), std::string(program.name));
  }
  if (errno != ENOENT) Throw(env, {.syscall = "bpf(BPF_PROG_GET_NEXT_ID)", .error = errno, .object = "programs"});
  return names;
}

}  // namespace

void InitHost(Napi::Env env, Napi::Object exports) {
  exports.Set("detachTc", Napi::Function::New(env, DetachTc, "detachTc"));
  exports.Set("connectPrograms", Napi::Function::New(env, ConnectPrograms, "connectPrograms"));
  exports.Set("tcPrograms", Napi::Function::New(env, TcPrograms, "tcPrograms"));
}

}  // namespace portolan
