#include "model/gate/values.h"

#include <algorithm>

#include <fmt/format.h>

namespace candor::model::gate {
namespace {

constexpr std::size_t kPieceBytes = 256U << 10U;  // stays in a processor's second cache

}  // namespace

ValuesReader::ValuesReader(ByteSource& source, GateFindings& findings)
    : source_(source), findings_(findings), buffer_(kPieceBytes) {}

void ValuesReader::read(std::string_view name, std::uint64_t begin, std::uint64_t bytes,
                        const internal::ValueLayout& layout) {
  if (layout.kind == internal::NumberKind::kNone) return;
  const std::size_t most = kPieceBytes / layout.stride * layout.stride;
  std::uint64_t blocks = 0, first = 0;
  for (std::uint64_t at = begin, end = begin + bytes; at < end;) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(most, end - at));
    const auto piece = std::span(buffer_).first(size);
    if (const auto read = source_.read_at(at, piece); !read) {
      return findings_.add("file.unreadable", {.offset = at}, read.error().message());
    }
    const internal::NotFinite found = internal::not_finite(layout, piece);
    if (found.blocks > 0 && blocks == 0) first = at + found.first;
    blocks += found.blocks;
    at += size;
  }
  if (blocks == 0) return;
  findings_.add("tensor.not-finite", {.offset = first, .name = gate_text(name, kMaxGateName)},
                fmt::format("{} {}", blocks, layout.stride <= 8 ? "numbers" : "blocks"));
}

}  // namespace candor::model::gate
