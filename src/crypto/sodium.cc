#include "crypto/internal/sodium.h"

#include <sodium.h>

#include "base/check.h"

namespace candor::crypto {

void ensure_sodium() {
  static const bool ready = sodium_init() >= 0;
  CANDOR_CHECK(ready);
}

}  // namespace candor::crypto
