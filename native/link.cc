// SPDX-License-Identifier: Apache-2.0
// Links: replace the program, pin, detach; openPinnedLink.
#include "link.h"

#include <bpf/bpf.h>
#include <errno.h>

#include "addon.h"
#include "error.h"
#include "pin.h"
#include "program.h"

namespace portolan {
namespace {

Napi::Value OpenPinnedLink(const Napi::CallbackInfo& info) {
  const std::string path = StringArgument(info, 0, "path");
  return Link::New(info.Env(), OpenPin(info.Env(), path, "bpf-link"), path);
}

}  // namespace

void Link::Init(Napi::Env env, Napi::Object exports) {
  env.GetInstanceData<AddonData>()->link_class =
      Napi::Persistent(DefineClass(env, "Link",
                                   {InstanceMethod<&Link::Update>("update"), InstanceMethod<&Link::Pin>("pin"),
                                    InstanceMethod<&Link::Detach>("detach"), InstanceMethod<&Link::Close>("close"),
                                    InstanceMethod<&Link::Info>("info")}));
  exports.Set("openPinnedLink", Napi::Function::New(env, OpenPinnedLink, "openPinnedLink"));
}

Napi::Object Link::New(Napi::Env env, Fd fd, const std::string& where) {
  Napi::Object object = env.GetInstanceData<AddonData>()->link_class.New({});
  Link* link = Unwrap(object);
  link->fd_ = std::move(fd);
  link->where_ = where;
  return object;
}

Link::Link(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Link>(info) {}

int Link::fd(const char* operation) {
  if (!fd_.valid()) Fail(operation, EBADF, "the link's handle is closed");
  return fd_.get();
}

void Link::Fail(const char* operation, int error, const std::string& hint) {
  Throw(Env(), {.syscall = std::string("bpf(") + operation + ")",
                .error = error,
                .object = "link " + where_,
                .hint = error == ENOLINK ? "what it was attached to is gone" : hint});
}

void Link::Update(const Napi::CallbackInfo& info) {
  const int fd = this->fd("BPF_LINK_UPDATE");
  const int program = Program::From(info[0])->fd("BPF_LINK_UPDATE");
  if (bpf_link_update(fd, program, nullptr) < 0) {
    Fail("BPF_LINK_UPDATE", errno, "the program must be of the link's type and attach type");
  }
}

void Link::Pin(const Napi::CallbackInfo& info) {
  const int fd = this->fd("BPF_OBJ_PIN");
  PinAt(info.Env(), fd, StringArgument(info, 0, "path"), "link " + where_);
}

void Link::Detach(const Napi::CallbackInfo& /*info*/) {
  if (bpf_link_detach(fd("BPF_LINK_DETACH")) < 0) Fail("BPF_LINK_DETACH", errno);
}

void Link::Close(const Napi::CallbackInfo& /*info*/) { fd_.Close(); }

Napi::Value Link::Info(const Napi::CallbackInfo& info) {
  bpf_link_info description{};
  uint32_t length = sizeof(description);
  if (bpf_obj_get_info_by_fd(fd("BPF_OBJ_GET_INFO_BY_FD"), &description, &length) < 0) {
    Fail("BPF_OBJ_GET_INFO_BY_FD", errno);
  }
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("id", description.id);
  result.Set("fd", fd_.get());
  result.Set("programId", description.prog_id);
  return result;
}

}  // namespace portolan
