// SPDX-License-Identifier: Apache-2.0
// readBtf(): the named structs, unions and enums of an object file as plain data, typedef names of integers kept: they
// carry the byte order (__be16, __be32, __be64). Types that codecs cannot express (pointers, bit fields) leave their
// struct out.
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>

#include <memory>
#include <optional>
#include <string>

#include "addon.h"
#include "error.h"

namespace portolan {
namespace {

constexpr int kMaxDepth = 32;  // a struct cannot contain itself; malformed BTF could say so

class Reader {
 public:
  Reader(Napi::Env env, const btf* types) : env_(env), types_(types) {}

  /** undefined for what cannot be expressed. */
  std::optional<Napi::Object> Read(uint32_t id, int depth = 0) const {
    std::string name;
    const btf_type* type = Resolve(id, &name);
    if (type == nullptr || depth > kMaxDepth) return std::nullopt;
    switch (btf_kind(type)) {
      case BTF_KIND_INT:
        return ReadInt(type, name);
      case BTF_KIND_ARRAY:
        return ReadArray(type, depth);
      case BTF_KIND_STRUCT:
      case BTF_KIND_UNION:
        return ReadStruct(type, depth);
      case BTF_KIND_ENUM:
      case BTF_KIND_ENUM64:
        return ReadEnum(type);
      default:
        return std::nullopt;
    }
  }

 private:
  std::string Name(const btf_type* type) const { return btf__name_by_offset(types_, type->name_off); }

  /** Strips const, volatile and typedefs; name becomes that of the outermost typedef, a __be type's if there is one. */
  const btf_type* Resolve(uint32_t id, std::string* name) const {
    for (int i = 0; i < kMaxDepth; i++) {
      const btf_type* type = btf__type_by_id(types_, id);
      if (type == nullptr) return nullptr;
      if (btf_is_typedef(type)) {
        const std::string found = Name(type);
        if (name->empty() || found.starts_with("__be")) *name = found;
      } else if (!btf_is_mod(type)) {
        return type;
      }
      id = type->type;
    }
    return nullptr;
  }

  Napi::Object New(const char* kind) const {
    Napi::Object object = Napi::Object::New(env_);
    object.Set("kind", kind);
    return object;
  }

  Napi::Object ReadInt(const btf_type* type, const std::string& alias) const {
    const std::string name = Name(type);
    Napi::Object object = New("int");
    object.Set("name", alias.empty() ? name : alias);
    object.Set("size", type->size);
    object.Set("bigEndian", alias.starts_with("__be"));
    object.Set("char", name == "char");
    return object;
  }

  std::optional<Napi::Object> ReadArray(const btf_type* type, int depth) const {
    const struct btf_array* array = btf_array(type);
    const auto element = Read(array->type, depth + 1);
    if (!element) return std::nullopt;
    Napi::Object object = New("array");
    object.Set("length", array->nelems);
    object.Set("element", *element);
    return object;
  }

  std::optional<Napi::Object> ReadStruct(const btf_type* type, int depth) const {
    Napi::Array fields = Napi::Array::New(env_);
    for (uint32_t i = 0; i < btf_vlen(type); i++) {
      const btf_member* member = btf_members(type) + i;
      if (btf_member_bitfield_size(type, i) != 0) return std::nullopt;
      const auto inner = Read(member->type, depth + 1);
      if (!inner) return std::nullopt;
      Napi::Object field = Napi::Object::New(env_);
      field.Set("name", btf__name_by_offset(types_, member->name_off));
      field.Set("offset", btf_member_bit_offset(type, i) / 8);
      field.Set("type", *inner);
      fields.Set(i, field);
    }
    Napi::Object object = New(btf_is_union(type) ? "union" : "struct");
    object.Set("name", Name(type));
    object.Set("size", type->size);
    object.Set("fields", fields);
    return object;
  }

  Napi::Object ReadEnum(const btf_type* type) const {
    Napi::Object values = Napi::Object::New(env_);
    for (uint32_t i = 0; i < btf_vlen(type); i++) {
      if (btf_is_enum64(type)) {
        const struct btf_enum64* entry = btf_enum64(type) + i;
        values.Set(btf__name_by_offset(types_, entry->name_off), static_cast<double>(btf_enum64_value(entry)));
      } else {
        const struct btf_enum* entry = btf_enum(type) + i;
        const double value = btf_kflag(type) ? entry->val : static_cast<uint32_t>(entry->val);
        values.Set(btf__name_by_offset(types_, entry->name_off), value);
      }
    }
    Napi::Object object = New("enum");
    object.Set("name", Name(type));
    object.Set("size", type->size);
    object.Set("values", values);
    return object;
  }

  Napi::Env env_;
  const btf* types_;
};

// readBtf(path) -> BtfType[]
Napi::Value ReadBtf(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string path = StringArgument(info, 0, "path");
  const LibbpfLog log;
  const std::unique_ptr<btf, decltype(&btf__free)> types(btf__parse(path.c_str(), nullptr), btf__free);
  if (!types) {
    const int error = errno;
    const std::string hint = error == ENODATA ? "it has no .BTF section: compile with -g" : "";
    Throw(env, {.syscall = "btf__parse", .error = error, .object = path, .hint = hint, .log = log.text()});
  }
  const Reader reader(env, types.get());
  Napi::Array found = Napi::Array::New(env);
  for (uint32_t id = 1; id < btf__type_cnt(types.get()); id++) {
    const btf_type* type = btf__type_by_id(types.get(), id);
    if (!btf_is_composite(type) && !btf_is_any_enum(type)) continue;
    if (type->name_off == 0) continue;
    if (const auto read = reader.Read(id)) found.Set(found.Length(), *read);
  }
  return found;
}

}  // namespace

void InitBtf(Napi::Env env, Napi::Object exports) {
  exports.Set("readBtf", Napi::Function::New(env, ReadBtf, "readBtf"));
}

}  // namespace portolan
