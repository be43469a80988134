// SPDX-License-Identifier: Apache-2.0
// Entry point: instance data, argument checks, and the list of what the addon exports.
#include "addon.h"

#include <bpf/libbpf.h>

#include "link.h"
#include "map.h"
#include "netlink.h"
#include "object.h"
#include "program.h"

namespace portolan {

Napi::Uint8Array BytesArgument(const Napi::CallbackInfo& info, size_t index, const char* name) {
  const Napi::Value value = info[index];
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    throw Napi::TypeError::New(info.Env(), std::string(name) + " must be a Uint8Array");
  }
  return value.As<Napi::Uint8Array>();
}

std::string StringArgument(const Napi::CallbackInfo& info, size_t index, const char* name) {
  if (!info[index].IsString()) throw Napi::TypeError::New(info.Env(), std::string(name) + " must be a string");
  std::string text = info[index].As<Napi::String>().Utf8Value();
  if (text.find('\0') != std::string::npos) {
    throw Napi::TypeError::New(info.Env(), std::string(name) + " must not contain NUL");
  }
  return text;
}

uint32_t Uint32Argument(const Napi::CallbackInfo& info, size_t index, const char* name) {
  const Napi::Value value = info[index];
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!(number >= 0 && number <= UINT32_MAX) || number != static_cast<uint32_t>(number)) {
    throw Napi::TypeError::New(info.Env(), std::string(name) + " must be an integer from 0 to 4294967295");
  }
  return static_cast<uint32_t>(number);
}

namespace {

void SetErrorFactory(const Napi::CallbackInfo& info) {
  if (!info[0].IsFunction()) throw Napi::TypeError::New(info.Env(), "the error factory must be a function");
  info.Env().GetInstanceData<AddonData>()->error_factory = Napi::Persistent(info[0].As<Napi::Function>());
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new AddonData());
  libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
  exports.Set("setErrorFactory", Napi::Function::New(env, SetErrorFactory, "setErrorFactory"));
  exports.Set("libbpfVersion", Napi::String::New(env, libbpf_version_string()));
  exports.Set("possibleCpus", Napi::Number::New(env, libbpf_num_possible_cpus()));
  Object::Init(env, exports);
  Map::Init(env, exports);
  Program::Init(env, exports);
  Link::Init(env, exports);
  Netlink::Init(env, exports);
  InitBtf(env, exports);
  InitFeatures(env, exports);
  InitHost(env, exports);
  InitNeeds(env, exports);
  InitNetns(env, exports);
  InitLock(env, exports);
  InitRcu(env, exports);
  InitThreads(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(portolan, Init)

}  // namespace portolan
