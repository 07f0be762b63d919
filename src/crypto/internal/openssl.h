// OpenSSL's objects as owners, and its way to spell bytes.
#pragma once

#include <memory>

#include "base/bytes.h"

namespace candor::crypto {

template <auto Free>
struct Freer {
  void operator()(auto* value) const { Free(value); }
};
template <typename T, auto Free>
using Owned = std::unique_ptr<T, Freer<Free>>;

inline const unsigned char* raw(ByteView bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

}  // namespace candor::crypto
