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

uint32_t Map::Count(const Napi::CallbackInfo& info, size_t index, const char* op) {
  return Uint32Argument(info, index, "count");
}

Napi::Value Map::UpdateBatch(const Napi::CallbackInfo& info) {
  const char* op = "BPF_MAP_UPDATE_BATCH";
  const int fd = this->fd(op);
  const uint32_t count = Count(info, 2, op);
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
  const uint32_t count = Count(info, 1, op);
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

uint32_t Map::ReadSingly(int fd, bool first, uint8_t* cursor, uint8_t* keys, uint8_t* values, uint32_t limit,
                         bool* end) {
  const size_t value_size = UserValueSize();
  uint32_t count = 0;
  while (count < limit) {
    uint8_t* key = keys + size_t{count} * info_.key_size;
    if (bpf_map_get_next_key(fd, first ? nullptr : cursor, key) < 0) {
      if (errno != ENOENT) Fail("BPF_MAP_GET_NEXT_KEY", errno);
      *end = true;
      return count;
    }
    first = false;
    std::memcpy(cursor, key, info_.key_size);
    if (bpf_map_lookup_elem(fd, key, values + count * value_size) == 0) {
      count++;
    } else if (errno != ENOENT) {  // deleted since: not an error of a walk
      Fail("BPF_MAP_LOOKUP_ELEM", errno);
    }
  }
  return count;
}

// readChunk(cursor | undefined, limit) -> {keys, values, count, cursor | undefined}; cursor is opaque to the caller.
Napi::Value Map::ReadChunk(const Napi::CallbackInfo& info) {
  const char* op = "BPF_MAP_LOOKUP_BATCH";
  const int fd = this->fd(op);
  const bool first = info[0].IsUndefined();
  const size_t cursor_size = std::max<size_t>(info_.key_size, 4);  // hash maps keep a u32 bucket number in it
  Napi::Uint8Array cursor = Napi::Uint8Array::New(info.Env(), cursor_size);
  if (!first) std::memcpy(cursor.Data(), Bytes(info, 0, "cursor", cursor_size, op).Data(), cursor_size);
  uint32_t limit = std::max(1u, std::min(Uint32Argument(info, 1, "limit"), info_.max_entries));
  std::vector<uint8_t> keys, values;
  uint32_t count = 0;
  bool end = false;
  for (;;) {
    keys.resize(size_t{limit} * info_.key_size);
    values.resize(limit * UserValueSize());
    if (!batch_lookup_) {
      count = ReadSingly(fd, first, cursor.Data(), keys.data(), values.data(), limit, &end);
      break;
    }
    count = limit;
    std::vector<uint8_t> in(cursor.Data(), cursor.Data() + cursor_size);
    if (bpf_map_lookup_batch(fd, first ? nullptr : in.data(), cursor.Data(), keys.data(), values.data(), &count,
                             nullptr) == 0) {
      break;
    }
    if (errno == ENOENT) {
      end = true;
      break;
    }
    if (errno == ENOSPC && limit < info_.max_entries) {  // one hash bucket holds more than limit
      limit = std::min(info_.max_entries, limit * 2);
      std::memcpy(cursor.Data(), in.data(), cursor_size);
      continue;
    }
    if (!first || !Refused(errno)) Fail(op, errno);
    batch_lookup_ = false;
  }
  Napi::Object chunk = Napi::Object::New(info.Env());
  chunk.Set("keys", CopyOf(info.Env(), keys, size_t{count} * info_.key_size));
  chunk.Set("values", CopyOf(info.Env(), values, count * UserValueSize()));
  chunk.Set("count", count);
  chunk.Set("cursor", end ? info.Env().Undefined() : cursor);
  return chunk;
}

}  // namespace portolan
