// The journal's bytes (docs/formats/journal.md): encode, decode, and a reader that tells a torn
// tail from damage. Pure; safe on hostile input; O(bytes). Nothing here checks signatures or roots:
// a batch is *complete* when its own digest is right; whether it is *signed* is for who holds the
// key.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace candor::ledger {

inline constexpr std::size_t kJournalPage = 4096;
inline constexpr std::size_t kMaxBatchEntries = 65'536;
inline constexpr std::size_t kMaxBatchBytes = 256U << 20U;

// <first index, 20 decimal digits>.journal, and back.
[[nodiscard]] std::string segment_name(std::uint64_t first_index);
[[nodiscard]] Result<std::uint64_t> parse_segment_name(std::string_view name);

struct SegmentHeader {
  std::uint64_t first_index = 0;
  Digest root{};  // of the tree of that size
  std::string origin;
};
// One page. kInvalidArgument for an origin above 200 bytes.
[[nodiscard]] Result<Bytes> encode_segment_header(const SegmentHeader& header);
// kInvalidArgument: not a header. kDataLoss: a header whose digest or padding is wrong.
[[nodiscard]] Result<SegmentHeader> decode_segment_header(ByteView page);

enum class AuxKind : std::uint8_t { kKeySlot = 1, kSealedRecord = 2 };
enum class AuxState : std::uint8_t { kLive = 1, kErased = 2 };
inline constexpr std::size_t kAuxHeaderBytes = 16;

struct AuxInput {
  AuxKind kind = AuxKind::kKeySlot;
  ByteView payload;
};
// Where the bytes are, so that erasing can overwrite them: offsets count from the batch's start.
struct AuxView {
  AuxKind kind = AuxKind::kKeySlot;
  AuxState state = AuxState::kLive;
  std::size_t state_offset = 0;
  std::size_t payload_offset = 0;
  ByteView payload;  // meaningless when erased
};

// Builds one batch into a buffer that is reused: begin, add each entry and record, then seal with
// the signed head. Nothing is allocated once the buffers have grown. add_* fail with
// kResourceExhausted at a bound and then change nothing. One thread at a time.
class BatchBuilder {
 public:
  void begin(std::uint64_t first_index);
  [[nodiscard]] Result<void> add_entry(std::string_view entry);
  [[nodiscard]] Result<void> add_aux(const AuxInput& record);
  [[nodiscard]] std::uint32_t entries() const noexcept { return entries_; }
  [[nodiscard]] std::size_t bytes() const noexcept;  // padded, for a head of typical size
  // The whole batch, padded with zeros to full pages; valid until the next begin(). The first
  // AuxView offsets can be had from decode_batch.
  [[nodiscard]] Result<ByteView> seal(std::string_view head);

 private:
  std::uint64_t first_index_ = 0;
  std::uint32_t entries_ = 0;
  Bytes entries_part_, aux_part_, out_;
};

struct Batch {
  std::uint64_t first_index = 0;
  std::vector<std::string_view> entries;
  std::string_view head;  // signed checkpoint
  std::vector<AuxView> aux;
  std::size_t bytes = 0;  // with padding: the next batch starts there
};
// At the start of `bytes`. kInvalidArgument: no complete batch starts here. kDataLoss: one does,
// and its padding was changed (a write that was cut off leaves zeros there). Views into the input.
[[nodiscard]] Result<Batch> decode_batch(ByteView bytes);
// Cheap test of a page's first bytes: could a batch start here?
[[nodiscard]] bool looks_like_batch(ByteView page);

enum class SegmentEnd : std::uint8_t {
  kClean,     // zeros, or nothing, follow the last batch
  kTornTail,  // a write that was never acknowledged: may be zeroed when no later segment has a
              // batch
  kDamage,    // bytes inside what was acknowledged were changed: refuse to go on
};
struct SegmentScan {
  SegmentHeader header;
  struct Place {
    std::size_t offset = 0;
    Batch batch;
  };
  std::vector<Place> batches;  // complete, each continuing the one before
  SegmentEnd end = SegmentEnd::kClean;
  std::size_t end_offset = 0;  // where the batches end: the next write's place, or the fault's
  std::string what;            // for an operator; empty when clean
};
// A whole segment. Errors only when the header is unreadable (kInvalidArgument, kDataLoss). A gap
// in indices between complete batches, a complete batch after bytes that are none, or a non-zero
// byte in padding is kDamage. Views into the input.
[[nodiscard]] Result<SegmentScan> scan_segment(ByteView segment);

}  // namespace candor::ledger
