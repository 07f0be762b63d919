#include "base/sensitive.h"

#include <string.h>

namespace candor {

void wipe(void* data, std::size_t size) noexcept {
  if (size > 0) ::explicit_bzero(data, size);
}

}  // namespace candor
