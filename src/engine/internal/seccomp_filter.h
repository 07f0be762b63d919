// The seccomp filter of the sandbox: a list of system calls that are allowed, everything else is
// refused with EPERM (clone3 with ENOSYS, so that threads fall back to clone).
#pragma once

#include <vector>

#include <linux/filter.h>

#include "base/result.h"
#include "engine/sandbox.h"

namespace candor::engine::internal {

// The program for this process (its id stands in the rules for signals).
[[nodiscard]] std::vector<sock_filter> build_filter(const SealRequest& request, int own_pid);
[[nodiscard]] Result<void> install_filter(const SealRequest& request);

}  // namespace candor::engine::internal
