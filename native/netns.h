// SPDX-License-Identifier: Apache-2.0
// Other network namespaces. Only threads that end afterwards enter one: no thread of Node.js ever leaves the agent's.
#pragma once

#include <optional>
#include <string>

#include "error.h"

namespace portolan {

/** The calling thread enters the namespace at this path for good; what went wrong, if anything did. */
std::optional<Failure> EnterNetns(const std::string& path);

}  // namespace portolan
