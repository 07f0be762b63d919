#include "ledger/key_table_format.h"

#include <algorithm>

#include "crypto/hash.h"

namespace candor::ledger {
namespace {

constexpr std::string_view kMagic = "CANDKEYS";
constexpr std::string_view kSlotDomain("candor/v1/slot\0", 15);
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kCheckBytes = 8;
constexpr std::size_t kIdOffset = 4;

bool all_zero(ByteView bytes) {
  return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

void add_check(Bytes& slot) {
  slot.resize(kKeySlotBytes - kCheckBytes);
  const Digest digest = crypto::sha256({as_bytes(kSlotDomain), slot});
  put_bytes(slot, ByteView(digest).first(kCheckBytes));
}

void put_wrap(Bytes& out, const Bytes& wrap, std::size_t room) {
  put_bytes(out, wrap);
  out.resize(out.size() + room - wrap.size());
}

// The wrap's bytes of its room; the rest of the room must be zeros.
Result<Bytes> take_wrap(ByteReader& reader, std::size_t size, std::size_t room) {
  const ByteView bytes = TRY(reader.bytes(room));
  if ((size != 0 && size != room) || (size == 0 && !all_zero(bytes))) {
    return fail(Code::kInvalidArgument, "a wrap of an unknown length");
  }
  return to_bytes(bytes.first(size));
}

}  // namespace

Bytes encode_key_table_header() {
  Bytes page = to_bytes(as_bytes(kMagic));
  put_u32(page, kVersion);
  put_u32(page, kKeySlotBytes);
  page.resize(kKeyTablePage);
  return page;
}

Result<void> check_key_table_header(ByteView page) {
  if (page.size() < kKeyTablePage ||
      !std::ranges::equal(page.first(kKeyTablePage), encode_key_table_header())) {
    return fail(Code::kInvalidArgument, "not a key table of version 1");
  }
  return {};
}

Result<Bytes> encode_key_slot(const KeySlot& slot) {
  if (slot.kind == SlotKind::kEmpty ||
      (!slot.first_wrap.empty() && slot.first_wrap.size() != kFirstWrapBytes) ||
      (!slot.second_wrap.empty() && slot.second_wrap.size() != kSecondWrapBytes)) {
    return fail(Code::kInvalidArgument, "a key slot without a kind or with an odd wrap");
  }
  if (slot.state == SlotState::kErased) return erased_key_slot(slot);
  Bytes out{static_cast<std::byte>(slot.kind), static_cast<std::byte>(slot.state)};
  put_u16(out, static_cast<std::uint16_t>(slot.algorithm));
  put_bytes(out, slot.id);
  put_bytes(out, slot.subject);
  put_u64(out, slot.entry_index);
  put_u32(out, slot.epoch);
  out.push_back(static_cast<std::byte>(slot.first_wrap.size()));
  out.push_back(static_cast<std::byte>(slot.second_wrap.size()));
  put_wrap(out, slot.first_wrap, kFirstWrapBytes);
  put_wrap(out, slot.second_wrap, kSecondWrapBytes);
  add_check(out);
  return out;
}

Bytes erased_key_slot(const KeySlot& slot) {
  Bytes out{static_cast<std::byte>(slot.kind), static_cast<std::byte>(SlotState::kErased)};
  put_u16(out, static_cast<std::uint16_t>(slot.algorithm));
  put_bytes(out, slot.id);
  add_check(out);
  return out;
}

Result<KeySlot> decode_key_slot(ByteView slot) {
  const auto bad = [](const char* what) { return fail(Code::kInvalidArgument, what); };
  if (slot.size() != kKeySlotBytes) return bad("a key slot has 256 bytes");
  if (all_zero(slot)) return KeySlot{};
  const Digest digest =
      crypto::sha256({as_bytes(kSlotDomain), slot.first(kKeySlotBytes - kCheckBytes)});
  if (!std::ranges::equal(slot.last(kCheckBytes), ByteView(digest).first(kCheckBytes))) {
    return fail(Code::kDataLoss, "a key slot whose check is wrong");
  }
  ByteReader reader(slot.first(kKeySlotBytes - kCheckBytes));
  const std::uint8_t kind = TRY(reader.u8());
  const std::uint8_t state = TRY(reader.u8());
  const std::uint16_t algorithm = TRY(reader.u16());
  if (kind < 1 || kind > 3 || state < 1 || state > 2) return bad("a key slot of an unknown kind");
  if (algorithm != static_cast<std::uint16_t>(WrapAlgorithm::kXChaCha20Poly1305) &&
      algorithm != static_cast<std::uint16_t>(WrapAlgorithm::kFieldKeys)) {
    return bad("a key slot under an unknown algorithm");
  }
  KeySlot out;
  out.kind = static_cast<SlotKind>(kind);
  out.state = static_cast<SlotState>(state);
  out.algorithm = static_cast<WrapAlgorithm>(algorithm);
  std::ranges::copy(TRY(reader.bytes(out.id.size())), out.id.begin());
  if (out.state == SlotState::kErased) {
    if (!all_zero(slot.subspan(kIdOffset + out.id.size(), reader.remaining()))) {
      return bad("an erased key slot that still holds bytes");
    }
    return out;
  }
  std::ranges::copy(TRY(reader.bytes(out.subject.size())), out.subject.begin());
  out.entry_index = TRY(reader.u64());
  out.epoch = TRY(reader.u32());
  const std::uint8_t first_size = TRY(reader.u8());
  const std::uint8_t second_size = TRY(reader.u8());
  out.first_wrap = TRY(take_wrap(reader, first_size, kFirstWrapBytes));
  out.second_wrap = TRY(take_wrap(reader, second_size, kSecondWrapBytes));
  if (!all_zero(TRY(reader.bytes(reader.remaining())))) return bad("a key slot with odd padding");
  return out;
}

}  // namespace candor::ledger
