// ggml.c holds the dequantisers beside tensor functions that call these three of ggml's back-ends,
// which are not linked: nothing here makes a tensor in a back-end's buffer, so none is ever
// reached.
#include <cstddef>
#include <cstdint>

#include <ggml-backend.h>

#include "base/check.h"

extern "C" {

void ggml_backend_tensor_memset(ggml_tensor*, std::uint8_t, std::size_t, std::size_t) {
  CANDOR_CHECK(false);
}
void ggml_backend_tensor_set(ggml_tensor*, const void*, std::size_t, std::size_t) {
  CANDOR_CHECK(false);
}
ggml_backend_buffer_usage ggml_backend_buffer_get_usage(ggml_backend_buffer_t) {
  CANDOR_CHECK(false);
  return GGML_BACKEND_BUFFER_USAGE_ANY;
}
}
