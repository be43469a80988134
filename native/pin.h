// SPDX-License-Identifier: Apache-2.0
// Pins: names of maps, programs and links in a bpffs.
#pragma once

#include <napi.h>

#include <string>

#include "fd.h"

namespace portolan {

/** Throws with a hint when the path is not on a bpffs or taken. */
void PinAt(Napi::Env env, int fd, const std::string& path, const std::string& object);

/** kind: "bpf-map", "bpf-prog" or "bpf-link" as /proc/self/fd says it; throws if the pin is of another kind. */
Fd OpenPin(Napi::Env env, const std::string& path, const std::string& kind);

}  // namespace portolan
