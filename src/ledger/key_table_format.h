// Slots of the key table (docs/formats/key-table.md): wrapped roots, rewritable in place. A slot is
// also the payload of a journal record of kind 1. Pure; safe on hostile input.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"

namespace candor::ledger {

inline constexpr std::size_t kKeyTablePage = 4096;
inline constexpr std::size_t kKeySlotBytes = 256;
inline constexpr std::size_t kFirstWrapBytes = 72;
inline constexpr std::size_t kSecondWrapBytes = 104;

enum class SlotKind : std::uint8_t { kEmpty = 0, kExchange = 1, kSubject = 2, kNote = 3 };
enum class SlotState : std::uint8_t { kLive = 1, kErased = 2 };
enum class WrapAlgorithm : std::uint16_t {
  kXChaCha20Poly1305 = 1,
  kFieldKeys = 2,  // the same; the first wrap holds the key of docs/formats/field-keys.md
};

struct KeySlot {
  SlotKind kind = SlotKind::kEmpty;
  SlotState state = SlotState::kLive;
  WrapAlgorithm algorithm = WrapAlgorithm::kXChaCha20Poly1305;
  Id128 id{};
  Id128 subject{};
  std::uint64_t entry_index = 0;
  std::uint32_t epoch = 0;
  Bytes first_wrap;   // 0 or 72 bytes
  Bytes second_wrap;  // 0 or 104 bytes
};

[[nodiscard]] constexpr std::uint64_t key_slot_offset(std::uint64_t slot) {
  return kKeyTablePage + kKeySlotBytes * slot;
}
[[nodiscard]] Bytes encode_key_table_header();
[[nodiscard]] Result<void> check_key_table_header(ByteView page);

// Wraps of another length are kInvalidArgument.
[[nodiscard]] Result<Bytes> encode_key_slot(const KeySlot& slot);
// What erasing leaves: kind, state and id; all that follows is zeros but the check.
[[nodiscard]] Bytes erased_key_slot(const KeySlot& slot);
// An all-zero slot is kEmpty. kDataLoss: the check is wrong. kInvalidArgument: unknown kind, state,
// algorithm or length, or a byte that must be zero is not.
[[nodiscard]] Result<KeySlot> decode_key_slot(ByteView slot);

}  // namespace candor::ledger
