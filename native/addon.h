// SPDX-License-Identifier: Apache-2.0
// What one JavaScript environment keeps (there are no globals), and the init function of each file.
#pragma once

#include <napi.h>

namespace portolan {

struct AddonData {
  Napi::FunctionReference error_factory;
  Napi::FunctionReference object_class;
  Napi::FunctionReference map_class;
  Napi::FunctionReference program_class;
  Napi::FunctionReference link_class;
};

void InitBtf(Napi::Env env, Napi::Object exports);
void InitFeatures(Napi::Env env, Napi::Object exports);
void InitHost(Napi::Env env, Napi::Object exports);
void InitNeeds(Napi::Env env, Napi::Object exports);
void InitNetns(Napi::Env env, Napi::Object exports);
void InitLock(Napi::Env env, Napi::Object exports);
void InitRcu(Napi::Env env, Napi::Object exports);
void InitThreads(Napi::Env env, Napi::Object exports);

/** Bytes of an argument that must be a Uint8Array. */
Napi::Uint8Array BytesArgument(const Napi::CallbackInfo& info, size_t index, const char* name);
std::string StringArgument(const Napi::CallbackInfo& info, size_t index, const char* name);
uint32_t Uint32Argument(const Napi::CallbackInfo& info, size_t index, const char* name);

}  // namespace portolan
