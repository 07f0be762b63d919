#include "lineage/tensors.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <ggml.h>

namespace candor::lineage {
namespace {

constexpr std::uint64_t kMaxMetadata = 256ULL << 20U;
constexpr std::uint64_t kMaxCount = 65'536;
constexpr std::uint64_t kMaxColumns = 1U << 22U;
constexpr std::uint64_t kMaxName = 256;
constexpr std::uint32_t kString = 8, kArray = 9;
constexpr int kMaxDepth = 4;

std::uint64_t size_of(std::uint32_t type) {
  constexpr std::array<std::uint8_t, 13> kSizes = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  return type < kSizes.size() ? kSizes[type] : 0;
}

// ggml asserts on types that it does not know, so the number is looked at first.
const ggml_type_traits* traits_of(std::uint32_t type) {
  if (type >= GGML_TYPE_COUNT) return nullptr;
  const ggml_type_traits* traits = ggml_get_type_traits(static_cast<ggml_type>(type));
  return traits->blck_size > 0 && traits->type_size > 0 ? traits : nullptr;
}

class Cursor {
 public:
  explicit Cursor(model::ByteSource& source)
      : source_(source), end_(std::min(source.size(), kMaxMetadata)) {}
  [[nodiscard]] std::uint64_t at() const { return at_; }
  Result<void> take(std::span<std::byte> out) {
    TRY(need(out.size(), 1));
    while (!out.empty()) {
      if (at_ < start_ || at_ >= start_ + size_) {
        start_ = at_;
        size_ = static_cast<std::size_t>(std::min<std::uint64_t>(window_.size(), end_ - at_));
        TRY(source_.read_at(start_, std::span(window_).first(size_)));
      }
      const auto from = static_cast<std::size_t>(at_ - start_);
      const std::size_t count = std::min(out.size(), size_ - from);
      std::memcpy(out.data(), window_.data() + from, count);
      out = out.subspan(count);
      at_ += count;
    }
    return {};
  }
  template <typename T>
  Result<T> number() {
    std::array<std::byte, sizeof(T)> raw{};
    TRY(take(raw));
    return std::bit_cast<T>(raw);
  }
  Result<std::string> text() {
    const auto length = TRY(number<std::uint64_t>());
    if (length > kMaxName) {
      return fail(
          Code::kInvalidArgument,
          fmt::format("GGUF: a name before byte {} is longer than {} bytes", at_, kMaxName));
    }
    std::string out(static_cast<std::size_t>(length), '\0');
    TRY(take(std::as_writable_bytes(std::span(out))));
    return out;
  }
  Result<void> skip(std::uint64_t count, std::uint64_t each) {
    TRY(need(count, each));
    at_ += count * each;
    return {};
  }
  Result<void> need(std::uint64_t count, std::uint64_t each) const {
    if (count <= (end_ - at_) / each) return {};
    return fail(Code::kInvalidArgument,
                fmt::format("GGUF: a length at byte {} points past the metadata's end", at_));
  }
  Result<void> skip_value(std::uint32_t type, int depth) {
    if (type == kString) return skip(TRY(number<std::uint64_t>()), 1);
    if (type == kArray) {
      if (depth >= kMaxDepth) return fail(Code::kInvalidArgument, "GGUF: arrays nested too deep");
      const auto inner = TRY(number<std::uint32_t>());
      const auto count = TRY(number<std::uint64_t>());
      if (const std::uint64_t each = size_of(inner); each != 0) return skip(count, each);
      TRY(need(count, 8));
      for (std::uint64_t i = 0; i < count; ++i) TRY(skip_value(inner, depth + 1));
      return {};
    }
    const std::uint64_t size = size_of(type);
    if (size == 0) {
      return fail(Code::kInvalidArgument, fmt::format("GGUF: no value has type {}", type));
    }
    return skip(1, size);
  }

 private:
  model::ByteSource& source_;
  std::uint64_t end_, at_ = 0, start_ = 0;
  std::size_t size_ = 0;
  std::array<std::byte, 65'536> window_{};
};

Result<std::pair<std::string, Tensor>> read_tensor(Cursor& in) {
  std::string name = TRY(in.text());
  const auto dimensions = TRY(in.number<std::uint32_t>());
  if (dimensions == 0 || dimensions > 4) {
    return fail(Code::kInvalidArgument, "GGUF: a tensor has no or more than four dimensions");
  }
  Tensor tensor;
  tensor.columns = TRY(in.number<std::uint64_t>());
  tensor.rows = 1;
  for (std::uint32_t i = 1; i < dimensions; ++i) {
    const auto count = TRY(in.number<std::uint64_t>());
    if (count == 0 || tensor.rows > (1ULL << 40U) / count) {
      return fail(Code::kInvalidArgument, "GGUF: a tensor's shape is absurd");
    }
    tensor.rows *= count;
  }
  tensor.type = TRY(in.number<std::uint32_t>());
  tensor.offset = TRY(in.number<std::uint64_t>());
  const ggml_type_traits* traits = traits_of(tensor.type);
  if (traits == nullptr) {
    return fail(Code::kInvalidArgument,
                fmt::format("GGUF: tensor type {} is not known", tensor.type));
  }
  const auto block = static_cast<std::uint64_t>(traits->blck_size);
  if (tensor.columns == 0 || tensor.columns > kMaxColumns || tensor.columns % block != 0) {
    return fail(Code::kInvalidArgument,
                "GGUF: a tensor's row is empty, too long or not whole blocks");
  }
  tensor.row_bytes = tensor.columns / block * traits->type_size;
  return std::pair(std::move(name), tensor);
}

}  // namespace

Result<TensorFile> TensorFile::open(model::ByteSource& source) {
  TensorFile file(source);
  Cursor in(source);
  if (TRY(in.number<std::uint32_t>()) != 0x46554747U) {
    return fail(Code::kInvalidArgument, "not a GGUF file: it does not start with \"GGUF\"");
  }
  const auto version = TRY(in.number<std::uint32_t>());
  if (version != 2 && version != 3) {
    return fail(Code::kInvalidArgument,
                "GGUF: only little-endian versions 2 and 3 are read; convert the file again");
  }
  const auto tensors = TRY(in.number<std::uint64_t>());
  const auto pairs = TRY(in.number<std::uint64_t>());
  if (tensors > kMaxCount || pairs > kMaxCount) {
    return fail(Code::kResourceExhausted,
                fmt::format("GGUF: more than {} tensors or pairs", kMaxCount));
  }
  std::uint64_t alignment = 32;
  for (std::uint64_t i = 0; i < pairs; ++i) {
    const std::string key = TRY(in.text());
    const auto type = TRY(in.number<std::uint32_t>());
    if (key == "general.architecture" && type == kString) {
      file.architecture_ = TRY(in.text());
    } else if (key == "general.alignment" && size_of(type) == 4) {
      alignment = TRY(in.number<std::uint32_t>());
    } else {
      TRY(in.skip_value(type, 0));
    }
  }
  if (!std::has_single_bit(alignment) || alignment > 65'536) {
    return fail(Code::kInvalidArgument, "GGUF: the alignment is not a small power of two");
  }
  for (std::uint64_t i = 0; i < tensors; ++i) {
    auto [name, tensor] = TRY(read_tensor(in));
    if (!file.tensors_.emplace(std::move(name), tensor).second) {
      return fail(Code::kInvalidArgument, "GGUF: two tensors have one name");
    }
  }
  const std::uint64_t data = (in.at() + alignment - 1) / alignment * alignment;
  const std::uint64_t size = source.size();
  for (auto& [name, tensor] : file.tensors_) {
    if (data > size || tensor.offset > size - data ||
        tensor.rows > (size - data - tensor.offset) / tensor.row_bytes) {
      return fail(Code::kInvalidArgument, "GGUF: a tensor reaches past the file's end");
    }
    tensor.offset += data;
  }
  return file;
}

const Tensor* TensorFile::find(const std::string& name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

std::uint32_t TensorFile::layers() const {
  std::uint32_t count = 0;
  for (;; ++count) {
    const std::string prefix = fmt::format("blk.{}.", count);
    const auto next = tensors_.lower_bound(prefix);
    if (next == tensors_.end() || !next->first.starts_with(prefix)) return count;
  }
}

Result<std::span<const float>> TensorFile::row(const Tensor& tensor, std::uint64_t index) {
  const ggml_type_traits* traits = traits_of(tensor.type);
  if (traits == nullptr || (traits->to_float == nullptr && tensor.type != GGML_TYPE_F32)) {
    return fail(Code::kInvalidArgument,
                fmt::format("tensors of type {} hold no weights", type_name(tensor.type)));
  }
  raw_.resize(static_cast<std::size_t>(tensor.row_bytes));
  values_.resize(static_cast<std::size_t>(tensor.columns));
  TRY(source_->read_at(tensor.offset + index * tensor.row_bytes, raw_));
  bytes_read_ += raw_.size();
  if (tensor.type == GGML_TYPE_F32) {
    std::memcpy(values_.data(), raw_.data(), raw_.size());
  } else {
    traits->to_float(raw_.data(), values_.data(), static_cast<std::int64_t>(tensor.columns));
  }
  for (float& value : values_) {
    if (!std::isfinite(value)) value = 0;
  }
  return std::span<const float>(values_);
}

std::string type_name(std::uint32_t type) {
  const ggml_type_traits* traits = traits_of(type);
  return traits == nullptr ? fmt::format("type-{}", type) : traits->type_name;
}

}  // namespace candor::lineage
