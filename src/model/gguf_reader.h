// Reader of GGUF metadata (versions 2 and 3, little-endian), ours and small: it runs in
// candor-inspect, sandboxed, over a file that may be hostile (house style: the monitor never parses
// model files). Follows docs/gguf.md of the ggml project.
//
// Bounds everything and allocates nothing on the file's word: counts and lengths are checked
// against the file's size and the limits before use; long arrays (token lists) are walked in
// fixed-size reads, never stored. Pure: bytes come through ByteSource. O(metadata size).
//
// Errors: kInvalidArgument (not GGUF, or malformed: the message says where and which bound),
// kFailedPrecondition (well formed but not ours to serve: big-endian, version 1, split files),
// kResourceExhausted (a limit). Values from the file appear only in the summary's fields, bounded
// and with control characters removed from names.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace candor::model {

struct GgufLimits {
  std::uint64_t max_metadata_bytes = 256ULL << 20U;
  std::uint64_t max_pairs = 65'536;
  std::uint64_t max_tensors = 65'536;
  std::uint64_t max_key_bytes = 256;
  std::uint64_t max_name_bytes = 256;  // kept part of name, architecture and the like
  std::uint64_t max_template_bytes = 128U << 10U;
  int max_array_depth = 4;
};

// Reads exactly out.size() bytes at offset, or fails. size() is the whole file's.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  [[nodiscard]] virtual std::uint64_t size() const = 0;
  [[nodiscard]] virtual Result<void> read_at(std::uint64_t offset, std::span<std::byte> out) = 0;
};

struct TensorTypeUse {
  std::uint32_t type = 0;  // ggml_type number
  std::string name;        // "q4_1"; "type-99" if unknown to us
  std::uint64_t tensors = 0;
  std::uint64_t elements = 0;
  bool operator==(const TensorTypeUse&) const = default;
};

// Typed, bounded values: what candor-inspect answers.
struct GgufSummary {
  std::uint32_t version = 0;
  std::string architecture;          // general.architecture; [a-z0-9_.-], at most 64
  std::string name;                  // general.name, control characters removed; may be empty
  std::string licence;               // general.license; may be empty
  std::uint64_t context_length = 0;  // <arch>.context_length; 0: absent
  std::uint64_t block_count = 0;
  std::uint64_t embedding_length = 0;
  std::uint64_t head_count = 0;  // the largest where it is an array
  std::uint64_t head_count_kv = 0;
  // Of one head's keys and values; 0: absent, then embedding_length / head_count.
  std::uint64_t key_length = 0, value_length = 0;
  std::optional<std::uint64_t> file_type;      // general.file_type
  std::string tokenizer_model;                 // tokenizer.ggml.model
  std::uint64_t vocabulary = 0;                // tokens in the list
  bool adds_bos = false;                       // tokenizer.ggml.add_bos_token
  std::optional<std::string> chat_template;    // tokenizer.chat_template, as it stands
  std::optional<Digest> chat_template_digest;  // SHA-256 of it
  std::uint64_t tensors = 0;
  std::uint64_t parameters = 0;             // elements of all tensors, saturating
  std::vector<TensorTypeUse> tensor_types;  // by type number
  bool operator==(const GgufSummary&) const = default;
};

// Bytes of keys and values for each token of context, in half precision, all layers alike (those
// with a sliding window need less). Bounded, whatever the file says.
[[nodiscard]] std::uint64_t context_bytes_per_token(const GgufSummary& summary);

[[nodiscard]] Result<GgufSummary> read_gguf(ByteSource& source, const GgufLimits& limits = {});

// One canonical JSON line between candor-inspect and the monitor, at most kMaxSummaryBytes. parse
// checks every bound again, as if the sender were hostile (it may be).
inline constexpr std::size_t kMaxSummaryBytes = 256U << 10U;
[[nodiscard]] Result<std::string> to_json(const GgufSummary& summary);
[[nodiscard]] Result<GgufSummary> summary_from_json(std::string_view line);

}  // namespace candor::model
