// A model file that is open already. The descriptor is the caller's and outlives the source.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "model/gguf_reader.h"

namespace candor::model {

// Of an open file; 0 where it cannot be told.
[[nodiscard]] std::uint64_t size_of(int fd) noexcept;

class DescriptorSource final : public ByteSource {
 public:
  DescriptorSource(int fd, std::uint64_t size) : fd_(fd), size_(size) {}
  [[nodiscard]] std::uint64_t size() const override { return size_; }
  // kUnavailable: the file cannot be read there, or ends before.
  [[nodiscard]] Result<void> read_at(std::uint64_t offset, std::span<std::byte> out) override;

 private:
  int fd_;
  std::uint64_t size_;
};

}  // namespace candor::model
