// A file of any bytes is refused or read within its own bounds: every row of every tensor is
// finite, and a fingerprint of it reads back as it was written.
#include <cmath>
#include <cstdint>

#include "base/check.h"
#include "lineage/fingerprint.h"
#include "model/testing/gguf_builder.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace candor;
  model::MemorySource source(std::string_view(reinterpret_cast<const char*>(data), size));
  auto file = lineage::TensorFile::open(source);
  if (!file) return 0;
  for (const auto& [name, tensor] : file->tensors()) {
    const auto row = file->row(tensor, tensor.rows - 1);
    if (!row) continue;
    for (const float value : *row) CANDOR_CHECK(std::isfinite(value));
  }
  const auto print = lineage::fingerprint(*file, "fuzz");
  if (!print) return 0;
  const auto again = lineage::parse_fingerprint(lineage::serialise(*print));
  CANDOR_CHECK(again.has_value() && again->layers == print->layers);
  return 0;
}
