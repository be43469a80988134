// SPDX-License-Identifier: Apache-2.0
// Many elements per call. Not every map type and kernel has batches: the first refusal falls back to single
// operations and is remembered in the handle.
#include <bpf/bpf.h>
#include <errno.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "addon.h"
#include "map.h"

namespace portolan {
namespace {

constexpr int kNotSupported = 524;  // ENOTSUPP, kernel-internal: what a map type without the operation answers

Napi::Uint8Array CopyOf(Napi::Env env, const std::vector<uint8_t>& from, size_t length) {
  Napi::Uint8Array bytes = Napi::Uint8Array::New(env, length);
  std::copy_n(from.begin(), length, bytes.Data());
  return bytes;
}

bool Refused(int error) { return error == EINVAL || error == kNotSupported || error == EOPNOTSUPP; }

}  // namespace

Napi::Value Map::UpdateBatch(const Napi::CallbackInfo& info) {
  const char* op = "BPF_MAP_UPDATE_BATCH";
  const int fd = this->fd(op);
  const uint32_t count = Uint32Argument(info, 2, "count");
  const size_t value_size = UserValueSize();
  Napi::Uint8Array keys = Bytes(info, 0, "keys", size_t{count} * info_.key_size, op);
  Napi::Uint8Array values = Bytes(info, 1, "values", count * value_size, op);
  if (batch_update_ && count > 0) {
    uint32_t done = count;
    if (bpf_map_update_batch(fd, keys.Data(), values.Data(), &done, nullptr) == 0) {
      return Napi::Number::New(info.Env(), done);
    }
    if (!Refused(errno)) Fail(op, errno);
  }
  for (uint32_t i = 0; i < count; i++) {
    UpdateOne(fd, keys.Data() + size_t{i} * info_.key_size, values.Data() + i * value_size, BPF_ANY);
  }
  // The single operations went through, so it was the batch that was refused, not what is in it.
  if (count > 0) batch_update_ = false;
  return Napi::Number::New(info.Env(), count);
}

Napi::Value Map::DeleteBatch(const Napi::CallbackInfo& info) {
  const char* op = "BPF_MAP_DELETE_BATCH";
  const int fd = this->fd(op);
  const uint32_t count = Uint32Argument(info, 1, "count");
  Napi::Uint8Array keys = Bytes(info, 0, "keys", size_t{count} * info_.key_size, op);
  uint32_t position = 0;
  uint32_t deleted = 0;
  while (batch_delete_ && position < count) {
    uint32_t done = count - position;
    const int result = bpf_map_delete_batch(fd, keys.Data() + size_t{position} * info_.key_size, &done, nullptr);
    const int error = result < 0 ? errno : 0;
    if (Refused(error)) {
      batch_delete_ = false;
      break;
    }
    if (error != 0 && error != ENOENT) Fail(op, error);
    deleted += done;
    position += done + (error == ENOENT ? 1 : 0);  // the kernel stops at an absent key: step over it
  }
  for (; position < count; position++) {
    if (DeleteOne(fd, keys.Data() + size_t{position} * info_.key_size)) deleted++;
  }
  return Napi::Number::New(info.Env(), deleted);
}

void Map::ReadSingly(int fd, Chunk* chunk) {
  const size_t value_size = UserValueSize();
  bool first = chunk->first;
  while (chunk->count < chunk->limit) {
    uint8_t* key = chunk->keys.data() + size_t{chunk->count} * info_.key_size;
    if (bpf_map_get_next_key(fd, first ? nullptr : chunk->cursor.data(), key) < 0) {
      if (errno != ENOENT) Fail("BPF_MAP_GET_NEXT_KEY", errno);
      chunk->end = true;
      return;
    }
    first = false;
    std::memcpy(chunk->cursor.data(), key, info_.key_size);
    if (bpf_map_lookup_elem(fd, key, chunk->values.data() + chunk->count * value_size) == 0) {
      chunk->count++;
    } else if (errno != ENOENT) {  // deleted since: not an error of a walk
      Fail("BPF_MAP_LOOKUP_ELEM", errno);
    }
  }
}

bool Map::ReadBatch(int fd, Chunk* chunk) {
  std::vector<uint8_t> in = chunk->cursor;
  for (;;) {
    chunk->count = chunk->limit;
    if (bpf_map_lookup_batch(fd, chunk->first ? nullptr : in.data(), chunk->cursor.data(), chunk->keys.data(),
                             chunk->values.data(), &chunk->count, nullptr) == 0) {
      return true;
    }
    if (errno == ENOENT) {  // with the last elements
      chunk->end = true;
      return true;
    }
    if (errno == ENOSPC && chunk->limit < info_.max_entries) {  // one hash bucket holds more than limit
      Resize(chunk, std::min(info_.max_entries, chunk->limit * 2));
      continue;
    }
    if (!chunk->first || !Refused(errno)) Fail("BPF_MAP_LOOKUP_BATCH", errno);
    chunk->count = 0;
    return false;
  }
}

void Map::Resize(Chunk* chunk, uint32_t limit) const {
  chunk->limit = limit;
  chunk->keys.resize(size_t{limit} * info_.key_size);
  chunk->values.resize(limit * UserValueSize());
}

// readChunk(cursor | undefined, limit) -> {keys, values, count, cursor | undefined}; cursor is opaque to the caller.
Napi::Value Map::ReadChunk(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const char* op = "BPF_MAP_LOOKUP_BATCH";
  const int fd = this->fd(op);
  Chunk chunk;
  chunk.first = info[0].IsUndefined();
  chunk.cursor.resize(std::max<size_t>(info_.key_size, 4));  // hash maps keep a u32 bucket number in it
  if (!chunk.first) {
    std::memcpy(chunk.cursor.data(), Bytes(info, 0, "cursor", chunk.cursor.size(), op).Data(), chunk.cursor.size());
  }
  Resize(&chunk, std::max(1u, std::min(Uint32Argument(info, 1, "limit"), info_.max_entries)));
  batch_lookup_ = batch_lookup_ && ReadBatch(fd, &chunk);
  if (!batch_lookup_) ReadSingly(fd, &chunk);
  Napi::Object result = Napi::Object::New(env);
  result.Set("keys", CopyOf(env, chunk.keys, size_t{chunk.count} * info_.key_size));
  result.Set("values", CopyOf(env, chunk.values, chunk.count * UserValueSize()));
  result.Set("count", chunk.count);
  result.Set("cursor", chunk.end ? env.Undefined() : CopyOf(env, chunk.cursor, chunk.cursor.size()));
  return result;
}

}  // namespace portolan
