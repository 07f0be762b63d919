#include "lineage/tensors.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <ggml.h>

#include "model/gguf_cursor.h"

namespace candor::lineage {
namespace {

constexpr std::uint64_t kMaxMetadata = 256ULL << 20U;
constexpr std::uint64_t kMaxCount = 65'536;
constexpr std::uint64_t kMaxColumns = 1U << 22U;
constexpr std::uint64_t kMaxName = 256;
constexpr int kMaxDepth = 4;

using model::GgufCursor;
using model::GgufValue;

// ggml asserts on types that it does not know, so the number is looked at first.
const ggml_type_traits* traits_of(std::uint32_t type) {
  if (type >= GGML_TYPE_COUNT) return nullptr;
  const ggml_type_traits* traits = ggml_get_type_traits(static_cast<ggml_type>(type));
  return traits->blck_size > 0 && traits->type_size > 0 ? traits : nullptr;
}

// The name of a pair or a tensor, or a text that is kept.
Result<std::string> name_at(GgufCursor& in) {
  bool whole = false;
  std::string out = TRY(in.text(kMaxName, &whole));
  if (whole) return out;
  return fail(
      Code::kInvalidArgument,
      fmt::format("GGUF: a name before byte {} is longer than {} bytes", in.position(), kMaxName));
}

Result<void> skip_value(GgufCursor& in, std::uint32_t type, int depth) {
  if (type == static_cast<std::uint32_t>(GgufValue::kString)) {
    return in.skip(TRY(in.number<std::uint64_t>()));
  }
  if (type == static_cast<std::uint32_t>(GgufValue::kArray)) {
    if (depth >= kMaxDepth) return fail(Code::kInvalidArgument, "GGUF: arrays nested too deep");
    const auto inner = TRY(in.number<std::uint32_t>());
    const auto count = TRY(in.number<std::uint64_t>());
    if (const std::uint64_t each = model::gguf_fixed_size(inner); each != 0) {
      TRY(in.check_count(count, each));
      return in.skip(count * each);
    }
    TRY(in.check_count(count, 8));
    for (std::uint64_t i = 0; i < count; ++i) TRY(skip_value(in, inner, depth + 1));
    return {};
  }
  const std::uint64_t size = model::gguf_fixed_size(type);
  if (size == 0) {
    return fail(Code::kInvalidArgument, fmt::format("GGUF: no value has type {}", type));
  }
  return in.skip(size);
}

Result<std::pair<std::string, Tensor>> read_tensor(GgufCursor& in) {
  std::string name = TRY(name_at(in));
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
  GgufCursor in(source, kMaxMetadata);
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
    const std::string key = TRY(name_at(in));
    const auto type = TRY(in.number<std::uint32_t>());
    if (key == "general.architecture" && type == static_cast<std::uint32_t>(GgufValue::kString)) {
      file.architecture_ = TRY(name_at(in));
    } else if (key == "general.alignment" && model::gguf_fixed_size(type) == 4) {
      alignment = TRY(in.number<std::uint32_t>());
    } else {
      TRY(skip_value(in, type, 0));
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
  const std::uint64_t data = (in.position() + alignment - 1) / alignment * alignment;
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
