// SPDX-License-Identifier: Apache-2.0
// Open, prepare, load: what libbpf does with an ELF object, one call each.
#include "object.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <malloc.h>
#include <signal.h>

#include <cstring>
#include <memory>
#include <utility>

#include "addon.h"
#include "error.h"
#include "map.h"
#include "program.h"

namespace portolan {
namespace {

/** libbpf calls section maps "<object>.rodata"; ours are called as their section: ".rodata". */
std::string NameOf(const bpf_map* map) {
  const std::string name = bpf_map__name(map);
  return bpf_map__is_internal(map) ? name.substr(name.find('.')) : name;
}

/** The kernel gives up checking a program (EAGAIN) when its thread has a signal to take: others take it meanwhile. */
class NoSignals {
 public:
  NoSignals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~NoSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  NoSignals(const NoSignals&) = delete;
  NoSignals& operator=(const NoSignals&) = delete;

 private:
  sigset_t before_{};
};

struct ObjectCloser {
  void operator()(bpf_object* object) const { bpf_object__close(object); }
};

/** One load. The object is its own from the start, and is gone at the end of it: descriptors remain. */
class Loading {
 public:
  Loading(bpf_object* object, std::string path, std::vector<std::string> map_names)
      : object_(object), path_(std::move(path)), map_names_(std::move(map_names)) {}

  /**
   * On any thread. libbpf loads quietly and retries a refused program with log level 1, so the log holds the verifier's
   * words only when there is something to say.
   */
  void Run() {
    const NoSignals quiet;
    const LibbpfLog log;
    const int result = bpf_object__load(object_.get());
    if (result < 0)
      failure_ = {.syscall = "bpf_object__load", .error = -result, .object = path_, .log = log.text()};
    else
      KeepDescriptors();
    object_.reset();
  }

  /** {maps: {name: Map}, programs: {name: Program}}, once. */
  Napi::Object Result(Napi::Env env) {
    if (failure_.error != 0) Throw(env, failure_);
    Napi::Object maps = Napi::Object::New(env);
    for (auto& [name, fd] : maps_) maps.Set(name, Map::New(env, std::move(fd), name));
    Napi::Object programs = Napi::Object::New(env);
    for (auto& [name, fd] : programs_) programs.Set(name, Program::New(env, std::move(fd), name));
    Napi::Object loaded = Napi::Object::New(env);
    loaded.Set("maps", maps);
    loaded.Set("programs", programs);
    return loaded;
  }

 private:
  using Named = std::vector<std::pair<std::string, Fd>>;

  void KeepDescriptors() {
    bpf_map* map = nullptr;
    size_t i = 0;
    bpf_object__for_each_map(map, object_.get()) Keep(&maps_, map_names_[i++], bpf_map__fd(map));
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, object_.get()) {
      Keep(&programs_, bpf_program__name(program), bpf_program__fd(program));
    }
  }

  /** What was not loaded has no descriptor. */
  void Keep(Named* all, const std::string& name, int fd) {
    if (fd < 0) return;
    Fd copy = Fd::Duplicate(fd);
    if (!copy.valid()) failure_ = {.syscall = "fcntl", .error = errno, .object = name};
    all->emplace_back(name, std::move(copy));
  }

  std::unique_ptr<bpf_object, ObjectCloser> object_;
  std::string path_;
  std::vector<std::string> map_names_;
  Named maps_;
  Named programs_;
  Failure failure_;
};

class LoadWorker : public Napi::AsyncWorker {
 public:
  LoadWorker(Napi::Env env, Loading loading) : Napi::AsyncWorker(env), deferred_(env), loading_(std::move(loading)) {}
  Napi::Promise promise() const { return deferred_.Promise(); }

  // What the C library keeps of each thread's memory for later is 10 MB here, and there is no later.
  void Execute() override {
    loading_.Run();
    malloc_trim(0);
  }

  void OnOK() override {
    const Napi::HandleScope scope(Env());
    try {
      deferred_.Resolve(loading_.Result(Env()));
    } catch (const Napi::Error& error) {
      deferred_.Reject(error.Value());
    }
  }

 private:
  Napi::Promise::Deferred deferred_;
  Loading loading_;
};

Napi::Value OpenObject(const Napi::CallbackInfo& info) {
  return Object::New(info.Env(), StringArgument(info, 0, "path"));
}

/** The place of a variable in a data section, by BTF; false if there is none. */
bool FindVariable(const btf* types, const char* section, const std::string& variable, btf_var_secinfo* place) {
  const int id = btf__find_by_name_kind(types, section, BTF_KIND_DATASEC);
  if (id < 0) return false;
  const btf_type* data = btf__type_by_id(types, id);
  const btf_var_secinfo* entry = btf_var_secinfos(data);
  for (int i = 0; i < btf_vlen(data); i++, entry++) {
    const btf_type* type = btf__type_by_id(types, entry->type);
    if (variable != btf__name_by_offset(types, type->name_off)) continue;
    *place = *entry;
    return true;
  }
  return false;
}

}  // namespace

void Object::Init(Napi::Env env, Napi::Object exports) {
  env.GetInstanceData<AddonData>()->object_class = Napi::Persistent(DefineClass(
      env, "Object",
      {InstanceMethod<&Object::MapNames>("mapNames"), InstanceMethod<&Object::ProgramNames>("programNames"),
       InstanceMethod<&Object::SetRodata>("setRodata"), InstanceMethod<&Object::SetMaxEntries>("setMaxEntries"),
       InstanceMethod<&Object::SetPinPath>("setPinPath"), InstanceMethod<&Object::ReuseMap>("reuseMap"),
       InstanceMethod<&Object::SetAutoload>("setAutoload"), InstanceMethod<&Object::Load>("load"),
       InstanceMethod<&Object::LoadAside>("loadAside"), InstanceMethod<&Object::Close>("close")}));
  exports.Set("openObject", Napi::Function::New(env, OpenObject, "openObject"));
}

Napi::Object Object::New(Napi::Env env, const std::string& path) {
  Napi::Object wrapped = env.GetInstanceData<AddonData>()->object_class.New({});
  Object* self = Unwrap(wrapped);
  self->path_ = path;
  const LibbpfLog log;
  self->object_ = bpf_object__open(path.c_str());
  if (self->object_ == nullptr) {
    const int error = errno;
    self->Fail("bpf_object__open", error, path, error == ENOENT ? "no such file; are the BPF objects built?" : "",
               log.text());
  }
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, self->object_) self->map_names_.push_back(NameOf(map));
  return wrapped;
}

Object::Object(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Object>(info) {}

Object::~Object() { CloseObject(); }

void Object::CloseObject() {
  bpf_object__close(object_);
  object_ = nullptr;
}

void Object::Fail(const char* call, int error, const std::string& what, const std::string& hint,
                  const std::string& log) {
  Throw(Env(), {.syscall = call, .error = error, .object = what, .hint = hint, .log = log});
}

bpf_object* Object::open() {
  if (object_ == nullptr) Fail("bpf_object", EBADF, path_, "the object is closed or was loaded already");
  return object_;
}

bpf_map* Object::FindMap(const std::string& name) {
  bpf_map* map = nullptr;
  size_t i = 0;
  bpf_object__for_each_map(map, open()) {
    if (map_names_[i++] == name) return map;
  }
  Fail("bpf_object__find_map_by_name", ENOENT, name, "no such map in " + path_);
}

bpf_program* Object::FindProgram(const std::string& name) {
  bpf_program* program = bpf_object__find_program_by_name(open(), name.c_str());
  if (program == nullptr) Fail("bpf_object__find_program_by_name", ENOENT, name, "no such program in " + path_);
  return program;
}

Napi::Value Object::MapNames(const Napi::CallbackInfo& info) {
  Napi::Array names = Napi::Array::New(info.Env());
  for (const std::string& name : map_names_) names.Set(names.Length(), name);
  return names;
}

Napi::Value Object::ProgramNames(const Napi::CallbackInfo& info) {
  Napi::Array names = Napi::Array::New(info.Env());
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, open()) names.Set(names.Length(), bpf_program__name(program));
  return names;
}

void Object::SetRodata(const Napi::CallbackInfo& info) {
  const std::string variable = StringArgument(info, 0, "variable");
  const Napi::Uint8Array bytes = BytesArgument(info, 1, "bytes");
  const char* call = "bpf_map__initial_value";
  btf_var_secinfo place;
  const btf* types = bpf_object__btf(open());
  if (types == nullptr || !FindVariable(types, ".rodata", variable, &place)) {
    Fail(call, ENOENT, variable, "no such const volatile variable in " + path_);
  }
  if (place.size != bytes.ByteLength()) {
    Fail(call, EINVAL, variable,
         std::to_string(bytes.ByteLength()) + " bytes for a variable of " + std::to_string(place.size));
  }
  size_t size = 0;
  auto* memory = static_cast<uint8_t*>(const_cast<void*>(bpf_map__initial_value(FindMap(".rodata"), &size)));
  if (memory == nullptr || place.offset + place.size > size) Fail(call, EINVAL, variable, ".rodata has no memory");
  std::memcpy(memory + place.offset, bytes.Data(), place.size);
}

void Object::SetMaxEntries(const Napi::CallbackInfo& info) {
  const std::string name = StringArgument(info, 0, "map");
  const int result = bpf_map__set_max_entries(FindMap(name), Uint32Argument(info, 1, "maxEntries"));
  if (result < 0) Fail("bpf_map__set_max_entries", -result, name);
}

void Object::SetPinPath(const Napi::CallbackInfo& info) {
  const std::string name = StringArgument(info, 0, "map");
  const int result = bpf_map__set_pin_path(FindMap(name), StringArgument(info, 1, "path").c_str());
  if (result < 0) Fail("bpf_map__set_pin_path", -result, name);
}

void Object::ReuseMap(const Napi::CallbackInfo& info) {
  const std::string name = StringArgument(info, 0, "map");
  bpf_map* map = FindMap(name);
  const int fd = Map::From(info[1])->fd("bpf_map__reuse_fd");
  bpf_map_info shape{};
  uint32_t length = sizeof(shape);
  if (bpf_obj_get_info_by_fd(fd, &shape, &length) < 0) Fail("bpf(BPF_OBJ_GET_INFO_BY_FD)", errno, name);
  // libbpf would take over whatever shape it is given. What lies in the values is the caller's affair, who may have
  // told the programs of another layout; no program is loaded that would reach beyond them.
  if (shape.type != bpf_map__type(map) || shape.key_size != bpf_map__key_size(map)) {
    Fail("bpf_map__reuse_fd", EINVAL, name, "the map to share has another type or key size");
  }
  const int result = bpf_map__reuse_fd(map, fd);
  if (result < 0) Fail("bpf_map__reuse_fd", -result, name);
}

void Object::SetAutoload(const Napi::CallbackInfo& info) {
  const std::string name = StringArgument(info, 0, "program");
  const int result = bpf_program__set_autoload(FindProgram(name), info[1].ToBoolean().Value());
  if (result < 0) Fail("bpf_program__set_autoload", -result, name);
}

// load() -> {maps, programs}
Napi::Value Object::Load(const Napi::CallbackInfo& info) {
  Loading loading(open(), path_, map_names_);
  object_ = nullptr;
  loading.Run();
  return loading.Result(info.Env());
}

// loadAside() -> Promise of what load() gives, by a thread of libuv's pool. Here the object counts as loaded at once.
Napi::Value Object::LoadAside(const Napi::CallbackInfo& info) {
  auto* worker = new LoadWorker(info.Env(), Loading(open(), path_, map_names_));
  object_ = nullptr;
  worker->Queue();
  return worker->promise();
}

void Object::Close(const Napi::CallbackInfo& /*info*/) { CloseObject(); }

}  // namespace portolan
