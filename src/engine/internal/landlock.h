// Landlock file rules for the sandbox (kernel: Documentation/userspace-api/landlock.rst).
#pragma once

#include "base/result.h"
#include "engine/sandbox.h"

namespace candor::engine::internal {

// Denies every file right that this kernel's Landlock knows, but for the request's descriptors,
// then tries a file to measure. A kernel without Landlock leaves grants.landlock_abi at 0 and
// succeeds.
[[nodiscard]] Result<void> restrict_files(const SealRequest& request, SandboxGrants& grants);

}  // namespace candor::engine::internal
