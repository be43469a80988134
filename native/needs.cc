// SPDX-License-Identifier: Apache-2.0
// What the programs of an object ask of the kernel, and which of it this one does not have: found by small programs
// that call one helper each, of the types that the object has, and small maps. The programs themselves are not loaded.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <elf.h>
#include <linux/bpf.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "addon.h"
#include "error.h"

namespace portolan {
namespace {

#define HELPER_NAME(name) "bpf_" #name
/** By number; the object was compiled with these headers. */
constexpr const char* kHelperNames[] = {__BPF_FUNC_MAPPER(HELPER_NAME)};
#undef HELPER_NAME

std::string HelperName(int32_t id) {
  const auto index = static_cast<size_t>(id);
  return index < std::size(kHelperNames) ? kHelperNames[index] : "helper " + std::to_string(id);
}

struct ObjectCloser {
  void operator()(bpf_object* object) const { bpf_object__close(object); }
};

/** Copies a structure out of a file's bytes; false where they end before it does. */
template <typename T>
bool Read(const std::vector<char>& bytes, size_t offset, T* out) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return false;
  std::memcpy(out, bytes.data() + offset, sizeof(T));
  return true;
}

/** Numbers of the helpers called in any section with code: libbpf shows a program without the functions that it calls.
 */
std::set<int32_t> CalledHelpers(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::set<int32_t> helpers;
  Elf64_Ehdr header;
  if (!Read(bytes, 0, &header)) return helpers;
  for (size_t i = 0; i < header.e_shnum; i++) {
    Elf64_Shdr section;
    if (!Read(bytes, header.e_shoff + i * header.e_shentsize, &section)) break;
    if (section.sh_type != SHT_PROGBITS || (section.sh_flags & SHF_EXECINSTR) == 0) continue;
    bpf_insn code;
    for (size_t at = 0; at + sizeof(code) <= section.sh_size && Read(bytes, section.sh_offset + at, &code);
         at += sizeof(code)) {
      if (code.code == (BPF_JMP | BPF_CALL) && code.src_reg == 0) helpers.insert(code.imm);
    }
  }
  return helpers;
}

class Lacks {
 public:
  explicit Lacks(Napi::Env env) : env_(env), found_(Napi::Array::New(env)) {}

  void Add(const char* kind, const std::string& name, const char* program_type) {
    Napi::Object lack = Napi::Object::New(env_);
    lack.Set("kind", kind);
    lack.Set("name", name);
    lack.Set("programType", program_type);
    found_.Set(found_.Length(), lack);
  }

  Napi::Array found() const { return found_; }

 private:
  Napi::Env env_;
  Napi::Array found_;
};

void ProbeMaps(const bpf_object* object, Lacks* lacks) {
  std::set<bpf_map_type> types;
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) types.insert(bpf_map__type(map));
  for (const bpf_map_type type : types) {
    // Below 0: libbpf does not know how to try it, so it is not held against the kernel.
    if (libbpf_probe_bpf_map_type(type, nullptr) == 0) lacks->Add("map", libbpf_bpf_map_type_str(type), "");
  }
}

void ProbePrograms(const bpf_object* object, const std::string& path, Lacks* lacks) {
  std::set<bpf_prog_type> types;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) types.insert(bpf_program__type(program));
  const std::set<int32_t> helpers = CalledHelpers(path);
  for (const bpf_prog_type type : types) {
    const char* name = libbpf_bpf_prog_type_str(type);
    if (libbpf_probe_bpf_prog_type(type, nullptr) == 0) {
      lacks->Add("program", name, name);
      continue;
    }
    for (const int32_t helper : helpers) {
      const auto id = static_cast<bpf_func_id>(helper);
      if (libbpf_probe_bpf_helper(type, id, nullptr) == 0) lacks->Add("helper", HelperName(helper), name);
    }
  }
}

// objectLacks(path) -> [{kind: "program" | "helper" | "map", name, programType}]
Napi::Value ObjectLacks(const Napi::CallbackInfo& info) {
  const std::string path = StringArgument(info, 0, "path");
  const LibbpfLog log;
  const std::unique_ptr<bpf_object, ObjectCloser> object(bpf_object__open(path.c_str()));
  if (!object) Throw(info.Env(), {.syscall = "bpf_object__open", .error = errno, .object = path, .log = log.text()});
  Lacks lacks(info.Env());
  ProbePrograms(object.get(), path, &lacks);
  ProbeMaps(object.get(), &lacks);
  return lacks.found();
}

}  // namespace

void InitNeeds(Napi::Env env, Napi::Object exports) {
  exports.Set("objectLacks", Napi::Function::New(env, ObjectLacks, "objectLacks"));
}

}  // namespace portolan
