#include "model/gate/values.h"

#include <algorithm>
#include <cstddef>

#include <fmt/format.h>

namespace candor::model::gate {
namespace {

constexpr std::size_t kPieceBytes = 256U << 10U;  // stays in a processor's second cache

}  // namespace

void judge_tensor_values(ByteSource& source, const std::vector<TensorBytes>& tensors,
                         GateFindings& findings) {
  std::vector<std::byte> buffer(kPieceBytes);
  for (const TensorBytes& tensor : tensors) {
    if (tensor.layout.kind == internal::NumberKind::kNone) continue;
    const std::size_t piece = kPieceBytes / tensor.layout.stride * tensor.layout.stride;
    std::uint64_t blocks = 0, first = 0;
    for (std::uint64_t done = 0; done < tensor.bytes;) {
      const auto size =
          static_cast<std::size_t>(std::min<std::uint64_t>(piece, tensor.bytes - done));
      const auto bytes = std::span(buffer).first(size);
      if (const auto read = source.read_at(tensor.begin + done, bytes); !read) {
        return findings.add("file.unreadable", {.offset = tensor.begin + done},
                            read.error().message());
      }
      const internal::NotFinite found = internal::not_finite(tensor.layout, bytes);
      if (found.blocks > 0 && blocks == 0) first = tensor.begin + done + found.first;
      blocks += found.blocks;
      done += size;
    }
    if (blocks == 0) continue;
    findings.add("tensor.not-finite", {.offset = first, .name = tensor.name},
                 tensor.layout.stride <= 8 ? fmt::format("{} numbers", blocks)
                                           : fmt::format("{} blocks", blocks));
  }
}

}  // namespace candor::model::gate
