// SPDX-License-Identifier: Apache-2.0
// Test runs, TCX links, clsact filters and cgroup links.
#include "program.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>

#include <vector>

#include "addon.h"
#include "error.h"
#include "link.h"
#include "pin.h"

namespace portolan {
namespace {

// Kernel 6.6; libbpf 1.1 and its headers do not know them yet.
constexpr int kTcxIngress = 46;
constexpr int kTcxEgress = 47;
constexpr uint32_t kBefore = 1u << 3;  // BPF_F_BEFORE; without a relative: the very first
constexpr uint32_t kAfter = 1u << 4;   // BPF_F_AFTER; without a relative: the very last

constexpr uint32_t kGrowthRoom = 256;  // what a program may add to a packet before dataOutSize must be given

Napi::Value OpenPinnedProgram(const Napi::CallbackInfo& info) {
  const std::string path = StringArgument(info, 0, "path");
  return Program::New(info.Env(), OpenPin(info.Env(), path, "bpf-prog"), {});
}

std::string DeviceText(uint32_t ifindex) {
  char name[IF_NAMESIZE];
  return if_indextoname(ifindex, name) ? std::string(name) : "ifindex " + std::to_string(ifindex);
}

bool IsIngress(const Napi::CallbackInfo& info, size_t index) {
  const std::string direction = StringArgument(info, index, "direction");
  if (direction != "ingress" && direction != "egress") {
    throw Napi::TypeError::New(info.Env(), "direction must be ingress or egress, not " + direction);
  }
  return direction == "ingress";
}

std::vector<uint8_t> OptionalBytes(const Napi::CallbackInfo& info, size_t index, const char* name) {
  if (info[index].IsUndefined()) return {};
  const Napi::Uint8Array bytes = BytesArgument(info, index, name);
  return {bytes.Data(), bytes.Data() + bytes.ByteLength()};
}

Napi::Uint8Array ToBytes(Napi::Env env, const std::vector<uint8_t>& from, size_t length) {
  Napi::Uint8Array bytes = Napi::Uint8Array::New(env, length);
  std::copy_n(from.begin(), length, bytes.Data());
  return bytes;
}

}  // namespace

void Program::Init(Napi::Env env, Napi::Object exports) {
  env.GetInstanceData<AddonData>()->program_class = Napi::Persistent(
      DefineClass(env, "Program",
                  {InstanceMethod<&Program::TestRun>("testRun"), InstanceMethod<&Program::AttachTcx>("attachTcx"),
                   InstanceMethod<&Program::AttachTc>("attachTc"), InstanceMethod<&Program::AttachXdp>("attachXdp"),
                   InstanceMethod<&Program::AttachCgroup>("attachCgroup"), InstanceMethod<&Program::Iterate>("iterate"),
                   InstanceMethod<&Program::Pin>("pin"), InstanceMethod<&Program::Close>("close"),
                   InstanceMethod<&Program::Info>("info")}));
  exports.Set("openPinnedProgram", Napi::Function::New(env, OpenPinnedProgram, "openPinnedProgram"));
}

Napi::Object Program::New(Napi::Env env, Fd fd, const std::string& name) {
  Napi::Object object = env.GetInstanceData<AddonData>()->program_class.New({});
  Program* program = Unwrap(object);
  program->fd_ = std::move(fd);
  uint32_t length = sizeof(program->info_);
  if (bpf_obj_get_info_by_fd(program->fd_.get(), &program->info_, &length) < 0) {
    program->Fail("BPF_OBJ_GET_INFO_BY_FD", errno);
  }
  program->name_ = name.empty() ? program->info_.name : name;
  return object;
}

Program* Program::From(const Napi::Value& value) {
  const Napi::Env env = value.Env();
  const Napi::Function type = env.GetInstanceData<AddonData>()->program_class.Value();
  if (!value.IsObject() || !value.As<Napi::Object>().InstanceOf(type)) throw Napi::TypeError::New(env, "not a program");
  return Unwrap(value.As<Napi::Object>());
}

Program::Program(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Program>(info) {}

int Program::fd(const char* operation) {
  if (!fd_.valid()) Fail(operation, EBADF, "the program's handle is closed");
  return fd_.get();
}

void Program::Fail(const char* operation, int error, const std::string& hint) {
  Throw(Env(), {.syscall = std::string("bpf(") + operation + ")", .error = error, .object = name_, .hint = hint});
}

// testRun(data | undefined, ctx | undefined, repeat, dataOutSize | undefined)
Napi::Value Program::TestRun(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const int fd = this->fd("BPF_PROG_TEST_RUN");
  const std::vector<uint8_t> data = OptionalBytes(info, 0, "data");
  std::vector<uint8_t> ctx = OptionalBytes(info, 1, "ctx");
  const bool is_syscall = info_.type == BPF_PROG_TYPE_SYSCALL;
  const uint32_t room = info[3].IsUndefined() ? data.size() + kGrowthRoom : Uint32Argument(info, 3, "dataOutSize");
  std::vector<uint8_t> data_out(data.empty() ? 0 : room);
  std::vector<uint8_t> ctx_out(is_syscall ? 0 : ctx.size());
  LIBBPF_OPTS(bpf_test_run_opts, run);
  run.data_in = data.empty() ? nullptr : data.data();
  run.data_size_in = data.size();
  run.data_out = data_out.empty() ? nullptr : data_out.data();
  run.data_size_out = data_out.size();
  run.ctx_in = ctx.empty() ? nullptr : ctx.data();
  run.ctx_size_in = ctx.size();
  run.ctx_out = ctx_out.empty() ? nullptr : ctx_out.data();
  run.ctx_size_out = ctx_out.size();
  run.repeat = is_syscall ? 0 : Uint32Argument(info, 2, "repeat");
  if (bpf_prog_test_run_opts(fd, &run) < 0) {
    Fail("BPF_PROG_TEST_RUN", errno, errno == ENOSPC ? "the packet grew beyond dataOutSize" : "");
  }
  // A syscall program writes its argument in place; the others to a copy.
  if (is_syscall) ctx_out = ctx;
  Napi::Object result = Napi::Object::New(env);
  result.Set("retval", run.retval);
  result.Set("dataOut", ToBytes(env, data_out, data.empty() ? 0 : run.data_size_out));
  result.Set("ctxOut",
             ToBytes(env, ctx_out, is_syscall ? ctx_out.size() : std::min<size_t>(run.ctx_size_out, ctx_out.size())));
  result.Set("durationNs", run.duration);
  return result;
}

Napi::Value Program::AttachTcx(const Napi::CallbackInfo& info) {
  const int fd = this->fd("BPF_LINK_CREATE");
  const uint32_t ifindex = Uint32Argument(info, 0, "ifindex");
  const bool ingress = IsIngress(info, 1);
  const std::string where = std::string("tcx/") + (ingress ? "ingress" : "egress") + " of " + DeviceText(ifindex);
  LIBBPF_OPTS(bpf_link_create_opts, options, .flags = info[2].ToBoolean().Value() ? kBefore : kAfter);
  Fd link(bpf_link_create(fd, ifindex, static_cast<bpf_attach_type>(ingress ? kTcxIngress : kTcxEgress), &options));
  if (!link.valid()) {
    const int error = errno;
    Throw(info.Env(), {.syscall = "bpf(BPF_LINK_CREATE)",
                       .error = error,
                       .object = name_ + " on " + where,
                       .hint = error == EINVAL ? "TCX needs kernel 6.6 or later" : ""});
  }
  return Link::New(info.Env(), std::move(link), where);
}

// attachXdp(ifindex) -> Link. By the driver alone: the kernel's generic XDP comes no earlier than tc does.
Napi::Value Program::AttachXdp(const Napi::CallbackInfo& info) {
  const int fd = this->fd("BPF_LINK_CREATE");
  const uint32_t ifindex = Uint32Argument(info, 0, "ifindex");
  const std::string where = "xdp of " + DeviceText(ifindex);
  const LibbpfLog log;
  LIBBPF_OPTS(bpf_link_create_opts, options, .flags = XDP_FLAGS_DRV_MODE);
  Fd link(bpf_link_create(fd, ifindex, BPF_XDP, &options));
  if (!link.valid()) {
    Throw(info.Env(),
          {.syscall = "bpf(BPF_LINK_CREATE)", .error = errno, .object = name_ + " on " + where, .log = log.text()});
  }
  return Link::New(info.Env(), std::move(link), where);
}

void Program::AttachTc(const Napi::CallbackInfo& info) {
  const int fd = this->fd("RTM_NEWTFILTER");
  const uint32_t ifindex = Uint32Argument(info, 0, "ifindex");
  const bool ingress = IsIngress(info, 1);
  const LibbpfLog log;
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = static_cast<int>(ifindex),
              .attach_point = ingress ? BPF_TC_INGRESS : BPF_TC_EGRESS);
  // The qdisc may be there already, ours or somebody's: both are fine.
  int result = bpf_tc_hook_create(&hook);
  LIBBPF_OPTS(bpf_tc_opts, filter, .prog_fd = fd, .flags = BPF_TC_F_REPLACE, .handle = 1,
              .priority = Uint32Argument(info, 2, "priority"));
  if (result == 0 || result == -EEXIST) result = bpf_tc_attach(&hook, &filter);
  if (result < 0) {
    Throw(info.Env(),
          {.syscall = "rtnetlink(RTM_NEWTFILTER)",
           .error = -result,
           .object = name_ + " on clsact " + (ingress ? "ingress" : "egress") + " of " + DeviceText(ifindex),
           .log = log.text()});
  }
}

Napi::Value Program::AttachCgroup(const Napi::CallbackInfo& info) {
  const int fd = this->fd("BPF_LINK_CREATE");
  const std::string path = StringArgument(info, 0, "cgroupPath");
  const std::string type_name = "cgroup/" + StringArgument(info, 1, "type");
  bpf_prog_type program_type;
  bpf_attach_type attach_type;
  if (libbpf_prog_type_by_name(type_name.c_str(), &program_type, &attach_type) < 0) {
    throw Napi::TypeError::New(info.Env(), "unknown cgroup attach type " + type_name);
  }
  const Fd cgroup(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!cgroup.valid()) {
    Throw(info.Env(), {.syscall = "open", .error = errno, .object = path, .hint = "must be a cgroup v2 directory"});
  }
  Fd link(bpf_link_create(fd, cgroup.get(), attach_type, nullptr));
  if (!link.valid()) {
    const int error = errno;
    Throw(info.Env(), {.syscall = "bpf(BPF_LINK_CREATE)",
                       .error = error,
                       .object = name_ + " on " + type_name + " of " + path,
                       .hint = error == EBADF   ? "must be a cgroup v2 directory"
                               : error == EPERM ? "needs CAP_NET_ADMIN, and no exclusive program on a cgroup above"
                                                : ""});
  }
  return Link::New(info.Env(), std::move(link), type_name + " of " + path);
}

void Program::Pin(const Napi::CallbackInfo& info) {
  const int fd = this->fd("BPF_OBJ_PIN");
  PinAt(info.Env(), fd, StringArgument(info, 0, "path"), "program " + name_);
}

void Program::Close(const Napi::CallbackInfo& /*info*/) { fd_.Close(); }

Napi::Value Program::Info(const Napi::CallbackInfo& info) {
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("name", name_);
  result.Set("id", info_.id);
  result.Set("fd", fd_.get());
  return result;
}

}  // namespace portolan
