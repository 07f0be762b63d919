// Writes small GGUF files for tests: the format's writer, kept as plain as its description.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "model/gguf_reader.h"

namespace candor::model {

class GgufBuilder {
 public:
  explicit GgufBuilder(std::uint32_t version = 3) : version_(version) {}

  GgufBuilder& text(std::string_view key, std::string_view value) {
    pair(key, 8);
    put_text(value);
    return *this;
  }
  GgufBuilder& u32(std::string_view key, std::uint32_t value) {
    pair(key, 4);
    put(body_, value);
    return *this;
  }
  GgufBuilder& u64(std::string_view key, std::uint64_t value) {
    pair(key, 10);
    put(body_, value);
    return *this;
  }
  GgufBuilder& u16(std::string_view key, std::uint16_t value) {
    pair(key, 2);
    put(body_, value);
    return *this;
  }
  GgufBuilder& flag(std::string_view key, bool value) {
    pair(key, 7);
    put(body_, static_cast<std::uint8_t>(value));
    return *this;
  }
  GgufBuilder& texts(std::string_view key, const std::vector<std::string>& values) {
    pair(key, 9);
    put(body_, std::uint32_t{8});
    put(body_, static_cast<std::uint64_t>(values.size()));
    for (const auto& value : values) put_text(value);
    return *this;
  }
  GgufBuilder& nested_arrays(std::string_view key, int depth) {
    pair(key, 9);
    for (int i = 0; i < depth; ++i) {
      put(body_, std::uint32_t{9});
      put(body_, std::uint64_t{1});
    }
    put(body_, std::uint32_t{0});
    put(body_, std::uint64_t{0});
    return *this;
  }
  GgufBuilder& raw_pair(std::string_view key, std::uint32_t type, std::string_view bytes) {
    pair(key, type);
    body_.append(bytes);
    return *this;
  }
  GgufBuilder& tensor(std::string_view name, const std::vector<std::uint64_t>& dimensions,
                      std::uint32_t type) {
    put(tensors_, static_cast<std::uint64_t>(name.size()));
    tensors_.append(name);
    put(tensors_, static_cast<std::uint32_t>(dimensions.size()));
    for (const auto d : dimensions) put(tensors_, d);
    put(tensors_, type);
    offset_places_.push_back(tensors_.size());
    put(tensors_, std::uint64_t{0});
    std::uint64_t elements = 1;
    for (const auto d : dimensions) elements *= d;
    elements_.push_back(elements);
    ++tensor_count_;
    return *this;
  }
  // Gives each tensor so far its place, as of four bytes for each value, and the file its data.
  GgufBuilder& with_data() {
    std::uint64_t at = 0;
    for (std::size_t i = 0; i < elements_.size(); ++i) {
      std::memcpy(tensors_.data() + offset_places_[i], &at, sizeof at);
      at = (at + 4 * elements_[i] + 31) / 32 * 32;
    }
    data_bytes_ = at;
    return *this;
  }
  [[nodiscard]] std::string build() const {
    std::string out = "GGUF";
    put(out, version_);
    put(out, tensor_count_);
    put(out, pair_count_);
    out += body_ + tensors_;
    if (data_bytes_ != 0) out.resize((out.size() + 31) / 32 * 32 + data_bytes_);
    return out;
  }

 private:
  template <typename T>
  static void put(std::string& out, T value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void put_text(std::string_view value) {
    put(body_, static_cast<std::uint64_t>(value.size()));
    body_.append(value);
  }
  void pair(std::string_view key, std::uint32_t type) {
    put_text(key);
    put(body_, type);
    ++pair_count_;
  }

  std::uint32_t version_;
  std::uint64_t pair_count_ = 0;
  std::uint64_t tensor_count_ = 0;
  std::string body_;
  std::string tensors_;
  std::vector<std::size_t> offset_places_;
  std::vector<std::uint64_t> elements_;
  std::uint64_t data_bytes_ = 0;
};

class MemorySource final : public ByteSource {
 public:
  explicit MemorySource(std::string_view bytes) : bytes_(bytes) {}
  [[nodiscard]] std::uint64_t size() const override { return bytes_.size(); }
  Result<void> read_at(std::uint64_t offset, std::span<std::byte> out) override {
    if (offset > bytes_.size() || out.size() > bytes_.size() - offset) {
      return fail(Code::kInternal, "read outside the file");
    }
    std::memcpy(out.data(), bytes_.data() + offset, out.size());
    return {};
  }

 private:
  std::string_view bytes_;
};

}  // namespace candor::model
