// SPDX-License-Identifier: Apache-2.0
// Probes: each makes the kernel do the thing on a small scale (load a few instructions, create a map) and reports its
// answer. Version numbers are never compared: distributions backport.
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "addon.h"
#include "error.h"
#include "fd.h"

namespace portolan {
namespace {

constexpr uint32_t kTcxIngress = 46;       // BPF_TCX_INGRESS, kernel 6.6
constexpr int kNoSuchDevice = 0x7fffffff;  // an ifindex nobody has
constexpr int32_t kSetRetval = 187;        // bpf_set_retval(), kernel 5.18
constexpr int32_t kCsumIpv6 = 1 << 7;      // BPF_F_IPV6 of bpf_l4_csum_replace()
constexpr int32_t kPseudoHeader = 1 << 4;  // BPF_F_PSEUDO_HDR
constexpr size_t kLogSize = 16384;

struct Answer {
  bool supported = false;
  /** Positive errno when not supported. */
  int error = 0;
  std::string detail = {};
};

// ---- instructions (Documentation/bpf/standardization/instruction-set.rst) ----

bpf_insn Mov(uint8_t to, uint8_t from) { return {BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0}; }
bpf_insn MovImm(uint8_t to, int32_t value) { return {BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, value}; }
bpf_insn AddImm(uint8_t to, int32_t value) { return {BPF_ALU64 | BPF_ADD | BPF_K, to, 0, 0, value}; }
bpf_insn Store(uint8_t size, int16_t offset, int32_t value) {
  return {static_cast<uint8_t>(BPF_ST | BPF_MEM | size), BPF_REG_10, 0, offset, value};
}
bpf_insn CallHelper(int32_t helper) { return {BPF_JMP | BPF_CALL, 0, 0, 0, helper}; }
bpf_insn CallKernel(int32_t type_id, int16_t btf_slot) {
  return {BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, btf_slot, type_id};
}
bpf_insn SkipIfZero(uint8_t reg, int16_t count) { return {BPF_JMP | BPF_JEQ | BPF_K, reg, 0, count, 0}; }
bpf_insn LoadWord64(uint8_t to, uint8_t from, int16_t offset) {
  return {BPF_LDX | BPF_MEM | BPF_DW, to, from, offset, 0};
}
bpf_insn Exit() { return {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}; }

struct LoadResult {
  Fd fd;
  Answer answer;
};

/** The last line that is not a statistic; what the verifier says of a refusal. */
std::string LastLine(const std::string& log) {
  std::string last;
  for (size_t start = 0, end = 0; start < log.size(); start = end + 1) {
    end = std::min(log.find('\n', start), log.size());
    const std::string line = log.substr(start, end - start);
    if (!line.empty() && !line.starts_with("processed ")) last = line;
  }
  return last;
}

LoadResult Load(bpf_prog_type type, std::span<const bpf_insn> code, int attach_type = 0, const int* btf_fds = nullptr,
                int32_t attach_btf_id = 0) {
  LIBBPF_OPTS(bpf_prog_load_opts, options);
  options.attach_btf_id = attach_btf_id;
  options.expected_attach_type = static_cast<bpf_attach_type>(attach_type);
  options.fd_array = btf_fds;
  Fd fd(bpf_prog_load(type, "probe", "GPL", code.data(), code.size(), &options));
  if (fd.valid()) return {std::move(fd), {.supported = true}};
  const int error = errno;
  std::vector<char> log(kLogSize);
  options.log_level = 1;
  options.log_buf = log.data();
  options.log_size = log.size();
  const Fd again(bpf_prog_load(type, "probe", "GPL", code.data(), code.size(), &options));
  return {Fd(), {.error = error, .detail = LastLine(log.data())}};
}

const std::array<bpf_insn, 2> kNothing = {MovImm(BPF_REG_0, 1), Exit()};

Answer ProbeTcx() {
  const LoadResult program = Load(BPF_PROG_TYPE_SCHED_CLS, kNothing);
  if (!program.answer.supported) return program.answer;
  const Fd link(bpf_link_create(program.fd.get(), kNoSuchDevice, static_cast<bpf_attach_type>(kTcxIngress), nullptr));
  // A kernel with TCX looks for the device; one without does not know the attach type.
  if (link.valid() || errno == ENODEV) return {.supported = true};
  return {.error = errno, .detail = "no TCX links (kernel 6.6)"};
}

Answer ProbeCgroupSockAddr() {
  return Load(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, kNothing, BPF_CGROUP_INET6_GETPEERNAME).answer;
}

Answer ProbeSetRetval() {
  const std::array code = {MovImm(BPF_REG_1, -ECONNREFUSED), CallHelper(kSetRetval), MovImm(BPF_REG_0, 0), Exit()};
  return Load(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, code, BPF_CGROUP_INET4_CONNECT).answer;
}

Answer ProbeMmapableArrays() {
  LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);
  const Fd fd(bpf_map_create(BPF_MAP_TYPE_ARRAY, "probe", 4, 8, 1, &options));
  if (fd.valid()) return {.supported = true};
  return {.error = errno, .detail = "no BPF_F_MMAPABLE arrays (kernel 5.5)"};
}

using Btf = std::unique_ptr<btf, decltype(&btf__free)>;

Answer ProbeBtf() {
  const Btf types(btf__load_vmlinux_btf(), btf__free);
  if (types) return {.supported = true};
  return {.error = errno, .detail = "no /sys/kernel/btf/vmlinux: the kernel needs CONFIG_DEBUG_INFO_BTF"};
}

/** bpf_skb_ct_lookup(skb, &tuple, 12, &opts, 12), then bpf_ct_release() if there was an entry. */
std::vector<bpf_insn> ConntrackCode(int32_t lookup, int32_t release, int16_t slot) {
  return {Store(BPF_DW, -8, 0),           Store(BPF_DW, -16, 0),    Store(BPF_DW, -24, 0),
          Store(BPF_DW, -32, 0),          Store(BPF_W, -32, -1),  // opts.netns_id: this one
          Store(BPF_W, -24, IPPROTO_TCP),                         // opts.l4proto
          Mov(BPF_REG_2, BPF_REG_10),     AddImm(BPF_REG_2, -16),   MovImm(BPF_REG_3, 12),
          Mov(BPF_REG_4, BPF_REG_10),     AddImm(BPF_REG_4, -32),   MovImm(BPF_REG_5, 12),
          CallKernel(lookup, slot),       SkipIfZero(BPF_REG_0, 2), Mov(BPF_REG_1, BPF_REG_0),
          CallKernel(release, slot),      MovImm(BPF_REG_0, 0),     Exit()};
}

/** Loads the call of the functions found in types; module: whose BTF it is, nullptr for the kernel's own. */
Answer TryConntrack(const btf* types, const char* module) {
  const int lookup = btf__find_by_name_kind(types, "bpf_skb_ct_lookup", BTF_KIND_FUNC);
  const int release = btf__find_by_name_kind(types, "bpf_ct_release", BTF_KIND_FUNC);
  if (lookup < 0 || release < 0) {
    return {.error = ENOENT, .detail = "no bpf_skb_ct_lookup (kernel 5.18, module nf_conntrack)"};
  }
  if (module == nullptr) return Load(BPF_PROG_TYPE_SCHED_CLS, ConntrackCode(lookup, release, 0)).answer;
  // The module's BTF goes into slot 1 of the program's descriptor array; slot 0 is the kernel's own.
  for (uint32_t id = 0; bpf_btf_get_next_id(id, &id) == 0;) {
    const Fd fd(bpf_btf_get_fd_by_id(id));
    char name[64] = {};
    bpf_btf_info info{};
    info.name = reinterpret_cast<uintptr_t>(name);
    info.name_len = sizeof(name);
    uint32_t length = sizeof(info);
    if (!fd.valid() || bpf_obj_get_info_by_fd(fd.get(), &info, &length) < 0 || std::strcmp(name, module) != 0) continue;
    const int slots[2] = {0, fd.get()};
    return Load(BPF_PROG_TYPE_SCHED_CLS, ConntrackCode(lookup, release, 1), 0, slots).answer;
  }
  return {.error = errno == ENOENT ? ENOENT : EPERM,
          .detail = std::string("seeing the BTF of module ") + module + " needs CAP_SYS_ADMIN"};
}

Answer ProbeConntrackLookup() {
  const Btf kernel(btf__load_vmlinux_btf(), btf__free);
  if (!kernel) return ProbeBtf();
  Answer built_in = TryConntrack(kernel.get(), nullptr);
  if (built_in.error != ENOENT) return built_in;
  const Btf module(btf__load_module_btf("nf_conntrack", kernel.get()), btf__free);
  return module ? TryConntrack(module.get(), "nf_conntrack") : built_in;
}

/** A kernel without the flag answers the call with EINVAL, which only a run shows. */
Answer ProbeCsumIpv6Flag() {
  const std::array code = {MovImm(BPF_REG_2, 60),  // any place within the packet
                           MovImm(BPF_REG_3, 0),
                           MovImm(BPF_REG_4, 0),
                           MovImm(BPF_REG_5, kCsumIpv6 | kPseudoHeader | 4),
                           CallHelper(BPF_FUNC_l4_csum_replace),
                           Exit()};
  const LoadResult program = Load(BPF_PROG_TYPE_SCHED_CLS, code);
  if (!program.answer.supported) return program.answer;
  std::array<uint8_t, 64> packet{};
  LIBBPF_OPTS(bpf_test_run_opts, run);
  run.data_in = packet.data();
  run.data_size_in = packet.size();
  if (bpf_prog_test_run_opts(program.fd.get(), &run) < 0) return {.error = errno, .detail = "test run refused"};
  const int result = static_cast<int>(run.retval);
  if (result == 0) return {.supported = true};
  return {.error = -result, .detail = "bpf_l4_csum_replace() has no BPF_F_IPV6 (kernel 6.16)"};
}

/** In a thread of its own: whoever may enter the namespace it is in may enter others. */
int EnterNamespace() {
  int error = 0;
  std::thread probe([&error] {
    const Fd netns(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    if (!netns.valid() || setns(netns.get(), CLONE_NEWNET) < 0) error = errno;
  });
  probe.join();
  return error;
}

/** An iterator over UDP sockets that calls bpf_sock_destroy(), and the right to run it in every pod. */
Answer ProbeSockDestroy() {
  const Btf kernel(btf__load_vmlinux_btf(), btf__free);
  if (!kernel) return ProbeBtf();
  const int iterator = btf__find_by_name_kind(kernel.get(), "bpf_iter_udp", BTF_KIND_FUNC);
  const int destroy = btf__find_by_name_kind(kernel.get(), "bpf_sock_destroy", BTF_KIND_FUNC);
  if (iterator < 0 || destroy < 0) return {.error = ENOENT, .detail = "no bpf_sock_destroy (kernel 6.5)"};
  const std::array code = {LoadWord64(BPF_REG_1, BPF_REG_1, 8),  // bpf_iter__udp.udp_sk
                           SkipIfZero(BPF_REG_1, 1), CallKernel(destroy, 0), MovImm(BPF_REG_0, 0), Exit()};
  Answer loaded = Load(BPF_PROG_TYPE_TRACING, code, BPF_TRACE_ITER, nullptr, iterator).answer;
  if (!loaded.supported) return loaded;
  const int error = EnterNamespace();
  if (error == 0) return {.supported = true};
  return {.error = error, .detail = "entering other network namespaces needs CAP_SYS_ADMIN"};
}

/** SOCK_DESTROY of a UDP socket that nobody has: a kernel that can looks for it. */
Answer ProbeSockDiagDestroy() {
  struct {
    nlmsghdr header;
    inet_diag_req_v2 body;
  } request{};
  request.header.nlmsg_len = sizeof(request);
  request.header.nlmsg_type = SOCK_DESTROY;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  request.body.sdiag_family = AF_INET;
  request.body.sdiag_protocol = IPPROTO_UDP;
  struct {
    nlmsghdr header;
    nlmsgerr error;
    std::array<char, 256> rest;
  } answer{};
  const Fd fd(socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!fd.valid() || send(fd.get(), &request, sizeof(request), 0) < 0 ||
      recv(fd.get(), &answer, sizeof(answer), 0) < 0) {
    return {.error = errno, .detail = "no sock_diag"};
  }
  if (answer.error.error != -ENOENT) {
    return {.error = -answer.error.error, .detail = "no SOCK_DESTROY: the kernel needs CONFIG_INET_DIAG_DESTROY"};
  }
  const int error = EnterNamespace();
  if (error == 0) return {.supported = true};
  return {.error = error, .detail = "entering other network namespaces needs CAP_SYS_ADMIN"};
}

// probe(name) -> {supported, errno, detail}
Napi::Value Probe(const Napi::CallbackInfo& info) {
  struct Entry {
    const char* name;
    Answer (*run)();
  };
  static constexpr Entry kProbes[] = {
      {"tcx", ProbeTcx},
      {"cgroupSockAddr", ProbeCgroupSockAddr},
      {"setRetval", ProbeSetRetval},
      {"btf", ProbeBtf},
      {"mmapableArrays", ProbeMmapableArrays},
      {"conntrackLookup", ProbeConntrackLookup},
      {"csumIpv6Flag", ProbeCsumIpv6Flag},
      {"sockDestroy", ProbeSockDestroy},
      {"sockDiagDestroy", ProbeSockDiagDestroy},
  };
  const std::string name = StringArgument(info, 0, "name");
  for (const Entry& probe : kProbes) {
    if (name != probe.name) continue;
    const LibbpfLog log;
    const Answer answer = probe.run();
    Napi::Object result = Napi::Object::New(info.Env());
    result.Set("supported", answer.supported);
    result.Set("errno", -answer.error);
    result.Set("detail", answer.detail);
    return result;
  }
  throw Napi::TypeError::New(info.Env(), "no such probe: " + name);
}

}  // namespace

void InitFeatures(Napi::Env env, Napi::Object exports) {
  exports.Set("probe", Napi::Function::New(env, Probe, "probe"));
}

}  // namespace portolan
