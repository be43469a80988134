// SPDX-License-Identifier: Apache-2.0
// Single operations on a map, its memory, its pin; createMap and openPinnedMap.
#include "map.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <sys/mman.h>

#include <algorithm>

#include "addon.h"
#include "pin.h"

namespace portolan {
namespace {

bool IsPerCpu(uint32_t type) {
  return type == BPF_MAP_TYPE_PERCPU_HASH || type == BPF_MAP_TYPE_PERCPU_ARRAY ||
         type == BPF_MAP_TYPE_LRU_PERCPU_HASH || type == BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE;
}

size_t RoundUp(size_t size, size_t unit) { return (size + unit - 1) / unit * unit; }

std::string HintFor(const bpf_map_info& info, int error) {
  if (error == E2BIG) {
    const bool array = info.type == BPF_MAP_TYPE_ARRAY || info.type == BPF_MAP_TYPE_PERCPU_ARRAY;
    return std::string(array ? "the index is beyond its end" : "the map is full") + " (max_entries " +
           std::to_string(info.max_entries) + ")";
  }
  if (error == EEXIST) return "the key is there already";
  if (error == ENOENT) return "no such key";
  if (error == EPERM) return "needs CAP_BPF, and the map must not be frozen";
  return {};
}

Napi::Value CreateMap(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string name = StringArgument(info, 0, "name");
  LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = Uint32Argument(info, 5, "flags"));
  if (info[6].IsObject()) options.inner_map_fd = Map::From(info[6])->fd("BPF_MAP_CREATE");
  Fd fd(bpf_map_create(static_cast<bpf_map_type>(Uint32Argument(info, 1, "type")), name.substr(0, 15).c_str(),
                       Uint32Argument(info, 2, "keySize"), Uint32Argument(info, 3, "valueSize"),
                       Uint32Argument(info, 4, "maxEntries"), &options));
  if (!fd.valid()) {
    const int error = errno;
    Throw(env, {.syscall = "bpf(BPF_MAP_CREATE)",
                .error = error,
                .object = name,
                .hint = error == EPERM ? "needs CAP_BPF (and CAP_NET_ADMIN for some types)" : ""});
  }
  return Map::New(env, std::move(fd), name);
}

Napi::Value OpenPinnedMap(const Napi::CallbackInfo& info) {
  const std::string path = StringArgument(info, 0, "path");
  return Map::New(info.Env(), OpenPin(info.Env(), path, "bpf-map"), {});
}

}  // namespace

void Map::Init(Napi::Env env, Napi::Object exports) {
  env.GetInstanceData<AddonData>()->map_class = Napi::Persistent(DefineClass(
      env, "Map",
      {InstanceMethod<&Map::Lookup>("lookup"), InstanceMethod<&Map::Update>("update"),
       InstanceMethod<&Map::Delete>("delete"), InstanceMethod<&Map::UpdateBatch>("updateBatch"),
       InstanceMethod<&Map::DeleteBatch>("deleteBatch"), InstanceMethod<&Map::ReadChunk>("readChunk"),
       InstanceMethod<&Map::Mmap>("mmap"), InstanceMethod<&Map::Unmap>("unmap"), InstanceMethod<&Map::Pin>("pin"),
       InstanceMethod<&Map::Close>("close"), InstanceMethod<&Map::Info>("info")}));
  exports.Set("createMap", Napi::Function::New(env, CreateMap, "createMap"));
  exports.Set("openPinnedMap", Napi::Function::New(env, OpenPinnedMap, "openPinnedMap"));
}

Napi::Object Map::New(Napi::Env env, Fd fd, const std::string& name) {
  Napi::Object object = env.GetInstanceData<AddonData>()->map_class.New({});
  Map* map = Unwrap(object);
  map->fd_ = std::move(fd);
  uint32_t length = sizeof(map->info_);
  if (bpf_obj_get_info_by_fd(map->fd_.get(), &map->info_, &length) < 0) map->Fail("BPF_OBJ_GET_INFO_BY_FD", errno);
  map->name_ = name.empty() ? map->info_.name : name;
  return object;
}

Map* Map::From(const Napi::Value& value) {
  const Napi::Env env = value.Env();
  const Napi::Function type = env.GetInstanceData<AddonData>()->map_class.Value();
  if (!value.IsObject() || !value.As<Napi::Object>().InstanceOf(type)) throw Napi::TypeError::New(env, "not a map");
  return Unwrap(value.As<Napi::Object>());
}

Map::Map(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Map>(info) {}

int Map::fd(const char* operation) {
  if (!fd_.valid()) Fail(operation, EBADF, "the map's handle is closed");
  return fd_.get();
}

void Map::Fail(const char* operation, int error, const std::string& hint) {
  Throw(Env(), {.syscall = std::string("bpf(") + operation + ")",
                .error = error,
                .object = name_,
                .hint = hint.empty() ? HintFor(info_, error) : hint});
}

size_t Map::UserValueSize() const {
  if (!IsPerCpu(info_.type)) return info_.value_size;
  return RoundUp(info_.value_size, 8) * std::max(1, libbpf_num_possible_cpus());
}

Napi::Uint8Array Map::Bytes(const Napi::CallbackInfo& info, size_t index, const char* what, size_t size,
                            const char* op) {
  const Napi::Uint8Array bytes = BytesArgument(info, index, what);
  if (bytes.ByteLength() != size) {
    Fail(op, EINVAL,
         std::string(what) + " has " + std::to_string(bytes.ByteLength()) + " bytes, expected " + std::to_string(size));
  }
  return bytes;
}

// lookup(key, value) -> whether it is there; then its bytes are in value
Napi::Value Map::Lookup(const Napi::CallbackInfo& info) {
  const char* op = "BPF_MAP_LOOKUP_ELEM";
  const int fd = this->fd(op);
  Napi::Uint8Array key = Bytes(info, 0, "key", info_.key_size, op);
  Napi::Uint8Array value = Bytes(info, 1, "value", UserValueSize(), op);
  const bool found = bpf_map_lookup_elem(fd, key.Data(), value.Data()) == 0;
  if (!found && errno != ENOENT) Fail(op, errno);
  return Napi::Boolean::New(info.Env(), found);
}

void Map::UpdateOne(int fd, const void* key, const void* value, uint64_t flags) {
  if (bpf_map_update_elem(fd, key, value, flags) < 0) Fail("BPF_MAP_UPDATE_ELEM", errno);
}

void Map::Update(const Napi::CallbackInfo& info) {
  const char* op = "BPF_MAP_UPDATE_ELEM";
  const int fd = this->fd(op);
  Napi::Uint8Array key = Bytes(info, 0, "key", info_.key_size, op);
  Napi::Uint8Array value = Bytes(info, 1, "value", UserValueSize(), op);
  UpdateOne(fd, key.Data(), value.Data(), Uint32Argument(info, 2, "flags"));
}

bool Map::DeleteOne(int fd, const void* key) {
  if (bpf_map_delete_elem(fd, key) == 0) return true;
  if (errno != ENOENT) Fail("BPF_MAP_DELETE_ELEM", errno);
  return false;
}

Napi::Value Map::Delete(const Napi::CallbackInfo& info) {
  const char* op = "BPF_MAP_DELETE_ELEM";
  const int fd = this->fd(op);
  Napi::Uint8Array key = Bytes(info, 0, "key", info_.key_size, op);
  return Napi::Boolean::New(info.Env(), DeleteOne(fd, key.Data()));
}

Napi::Value Map::Mmap(const Napi::CallbackInfo& info) {
  const int fd = this->fd("mmap");
  // The kernel fills in every page of the range at once, so a part costs memory as a part.
  const uint32_t cells = info[0].IsUndefined() ? info_.max_entries : Uint32Argument(info, 0, "cells");
  const size_t size = RoundUp(info_.value_size, 8) * cells;
  const size_t mapped = RoundUp(size, sysconf(_SC_PAGESIZE));
  void* memory = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) {
    Throw(Env(), {.syscall = "mmap",
                  .error = errno,
                  .object = name_,
                  .hint = (info_.map_flags & BPF_F_MMAPABLE) ? "" : "the map has no BPF_F_MMAPABLE"});
  }
  mapped_.push_back(memory);
  return Napi::ArrayBuffer::New(info.Env(), memory, size,
                                [mapped](Napi::Env, void* address) { munmap(address, mapped); });
}

// unmap(memory). Its addresses go some turns of the event loop later, as with all that an ArrayBuffer held; its pages
// now.
void Map::Unmap(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsArrayBuffer()) throw Napi::TypeError::New(env, "memory must be an ArrayBuffer");
  auto memory = info[0].As<Napi::ArrayBuffer>();
  const auto ours = std::find(mapped_.begin(), mapped_.end(), memory.Data());
  if (ours == mapped_.end())
    Throw(env, {.syscall = "munmap", .error = EINVAL, .object = name_, .hint = "not its memory"});
  mapped_.erase(ours);
  const size_t size = RoundUp(memory.ByteLength(), sysconf(_SC_PAGESIZE));
  if (mmap(memory.Data(), size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) {
    Throw(env, {.syscall = "mmap", .error = errno, .object = name_});
  }
  memory.Detach();
}

void Map::Pin(const Napi::CallbackInfo& info) {
  const int fd = this->fd("BPF_OBJ_PIN");
  PinAt(info.Env(), fd, StringArgument(info, 0, "path"), "map " + name_);
}

void Map::Close(const Napi::CallbackInfo& /*info*/) { fd_.Close(); }

Napi::Value Map::Info(const Napi::CallbackInfo& info) {
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("name", name_);
  result.Set("type", info_.type);
  result.Set("keySize", info_.key_size);
  result.Set("valueSize", info_.value_size);
  result.Set("userValueSize", UserValueSize());
  result.Set("maxEntries", info_.max_entries);
  result.Set("flags", info_.map_flags);
  result.Set("id", info_.id);
  result.Set("fd", fd_.get());
  return result;
}

}  // namespace portolan
