// The tensors of a GGUF file, by name, and their rows as floats. Hostile input: every count, length
// and offset is held against the file's size and the limits before it is used; one row is in memory
// at a time. Dequantisation is ggml's own. Little-endian, versions 2 and 3.
//
// Errors: kInvalidArgument (malformed; says where), kResourceExhausted (a limit), kUnavailable (the
// source cannot be read). Thread rule: one thread for a TensorFile.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/gguf_reader.h"

namespace candor::lineage {

struct Tensor {
  std::uint32_t type = 0;               // ggml_type
  std::uint64_t columns = 0, rows = 0;  // ne[0], and the product of the others
  std::uint64_t offset = 0;             // from the file's start
  std::uint64_t row_bytes = 0;
};

class TensorFile {
 public:
  // The source must outlive the file.
  [[nodiscard]] static Result<TensorFile> open(model::ByteSource& source);

  [[nodiscard]] const std::string& architecture() const noexcept { return architecture_; }
  [[nodiscard]] const std::map<std::string, Tensor>& tensors() const noexcept { return tensors_; }
  [[nodiscard]] const Tensor* find(const std::string& name) const;
  // How many blk.N there are, from 0 without a gap.
  [[nodiscard]] std::uint32_t layers() const;
  // One row as floats; values that are not finite become 0. The span lives until the next call.
  [[nodiscard]] Result<std::span<const float>> row(const Tensor& tensor, std::uint64_t index);
  [[nodiscard]] std::uint64_t bytes_read() const noexcept { return bytes_read_; }

 private:
  explicit TensorFile(model::ByteSource& source) : source_(&source) {}
  model::ByteSource* source_;
  std::string architecture_;
  std::map<std::string, Tensor> tensors_;
  std::vector<std::byte> raw_;
  std::vector<float> values_;
  std::uint64_t bytes_read_ = 0;
};

// "q4_k"; for messages.
[[nodiscard]] std::string type_name(std::uint32_t type);

}  // namespace candor::lineage
