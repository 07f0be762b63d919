// A file in memory, for tests and fuzzers of what reads archives.
#pragma once

#include <algorithm>

#include "base/file_system.h"

namespace candor::models {

class MemoryFile final : public File {
 public:
  explicit MemoryFile(Bytes bytes = {}) : bytes_(std::move(bytes)) {}
  Result<void> read_at(std::uint64_t offset, std::span<std::byte> out) override {
    if (offset > bytes_.size() || out.size() > bytes_.size() - offset) {
      return fail(Code::kInvalidArgument, "it ends before");
    }
    std::ranges::copy(ByteView(bytes_).subspan(offset, out.size()), out.begin());
    return {};
  }
  Result<void> write_at(std::uint64_t offset, ByteView data) override {
    bytes_.resize(std::max<std::size_t>(bytes_.size(), offset + data.size()));
    std::ranges::copy(data, bytes_.begin() + static_cast<std::ptrdiff_t>(offset));
    return {};
  }
  Result<void> sync() override { return {}; }
  Result<void> truncate(std::uint64_t size) override {
    bytes_.resize(size);
    return {};
  }
  Result<std::uint64_t> size() override { return bytes_.size(); }
  [[nodiscard]] const Bytes& bytes() const noexcept { return bytes_; }

 private:
  Bytes bytes_;
};

}  // namespace candor::models
