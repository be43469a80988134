// SPDX-License-Identifier: Apache-2.0
// A BPF map by its descriptor: raw bytes in, raw bytes out. Sizes are checked against the kernel's description of it.
#pragma once

#include <linux/bpf.h>
#include <napi.h>

#include <vector>

#include "error.h"
#include "fd.h"

namespace portolan {

class Map : public Napi::ObjectWrap<Map> {
 public:
  static void Init(Napi::Env env, Napi::Object exports);
  /** Takes over the descriptor. Name: what the C source calls it (the kernel keeps only 15 bytes of it). */
  static Napi::Object New(Napi::Env env, Fd fd, const std::string& name);
  static Map* From(const Napi::Value& value);
  explicit Map(const Napi::CallbackInfo& info);

  /** Throws when closed. */
  int fd(const char* operation);
  const std::string& name() const { return name_; }

 private:
  Napi::Value Lookup(const Napi::CallbackInfo& info);
  void Update(const Napi::CallbackInfo& info);
  Napi::Value Delete(const Napi::CallbackInfo& info);
  Napi::Value UpdateBatch(const Napi::CallbackInfo& info);
  Napi::Value DeleteBatch(const Napi::CallbackInfo& info);
  Napi::Value ReadChunk(const Napi::CallbackInfo& info);
  Napi::Value Mmap(const Napi::CallbackInfo& info);
  void Unmap(const Napi::CallbackInfo& info);
  void Pin(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);
  Napi::Value Info(const Napi::CallbackInfo& info);

  /** Bytes of one value as the syscall moves it: for per-CPU maps all CPUs', each rounded up to 8. */
  size_t UserValueSize() const;
  Napi::Uint8Array Bytes(const Napi::CallbackInfo& info, size_t index, const char* what, size_t size, const char* op);
  [[noreturn]] void Fail(const char* operation, int error, const std::string& hint = {});
  void UpdateOne(int fd, const void* key, const void* value, uint64_t flags);
  bool DeleteOne(int fd, const void* key);

  /** One step of a walk over the map. */
  struct Chunk {
    bool first = true;
    bool end = false;
    uint32_t limit = 0;
    uint32_t count = 0;
    std::vector<uint8_t> cursor, keys, values;
  };
  void Resize(Chunk* chunk, uint32_t limit) const;
  void ReadSingly(int fd, Chunk* chunk);
  /** False if this kind of map has no batches. */
  bool ReadBatch(int fd, Chunk* chunk);

  Fd fd_;
  std::string name_;
  bpf_map_info info_{};
  /** Where mmap() put it and unmap() has not taken it away. */
  std::vector<void*> mapped_;
  bool batch_update_ = true;
  bool batch_delete_ = true;
  bool batch_lookup_ = true;
};

}  // namespace portolan
