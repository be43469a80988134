// SPDX-License-Identifier: Apache-2.0
// An ELF object between open and load. After load only descriptors remain: the ELF and libbpf's copy of it are freed.
#pragma once

#include <napi.h>

#include <string>
#include <vector>

struct bpf_object;
struct bpf_map;
struct bpf_program;

namespace portolan {

class Object : public Napi::ObjectWrap<Object> {
 public:
  static void Init(Napi::Env env, Napi::Object exports);
  static Napi::Object New(Napi::Env env, const std::string& path);
  explicit Object(const Napi::CallbackInfo& info);
  ~Object() override;

 private:
  Napi::Value MapNames(const Napi::CallbackInfo& info);
  Napi::Value ProgramNames(const Napi::CallbackInfo& info);
  void SetRodata(const Napi::CallbackInfo& info);
  void SetMaxEntries(const Napi::CallbackInfo& info);
  void SetPinPath(const Napi::CallbackInfo& info);
  void ReuseMap(const Napi::CallbackInfo& info);
  void SetAutoload(const Napi::CallbackInfo& info);
  Napi::Value Load(const Napi::CallbackInfo& info);
  Napi::Value LoadAside(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);

  bpf_object* open();
  bpf_map* FindMap(const std::string& name);
  bpf_program* FindProgram(const std::string& name);
  void CloseObject();
  [[noreturn]] void Fail(const char* call, int error, const std::string& what, const std::string& hint = {},
                         const std::string& log = {});

  bpf_object* object_ = nullptr;
  std::string path_;
  /** In the order of the object. Kept, because libbpf gives a map that is reused the name of the other one. */
  std::vector<std::string> map_names_;
};

}  // namespace portolan
