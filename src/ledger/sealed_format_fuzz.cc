// A sealed record or a key slot that is accepted is written back to identical bytes; no record
// opens a text under a root that did not seal it, and what is sealed under it opens to the same
// texts. Key slots are read as they are, and once more with their check made right.
#include <algorithm>
#include <cstdint>

#include "base/check.h"
#include "base/testing/fake_clock.h"
#include "crypto/hash.h"
#include "ledger/key_table_format.h"
#include "ledger/sealed_format.h"

namespace {

using namespace candor;
using namespace std::string_view_literals;

const ledger::Root kRoot{Digest{std::byte{0xF0}, std::byte{0x22}}};

void check_slot(ByteView bytes) {
  const auto slot = ledger::decode_key_slot(bytes);
  if (!slot) return;
  CANDOR_CHECK(bytes.size() == ledger::kKeySlotBytes);
  const auto again = ledger::encode_key_slot(*slot);
  if (slot->kind == ledger::SlotKind::kEmpty) {
    CANDOR_CHECK(!again);
    CANDOR_CHECK(std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; }));
    return;
  }
  CANDOR_CHECK(again && std::ranges::equal(*again, bytes));
  const Bytes erased = ledger::erased_key_slot(*slot);
  const auto gone = ledger::decode_key_slot(erased);
  CANDOR_CHECK(gone && gone->state == ledger::SlotState::kErased && gone->id == slot->id &&
               gone->first_wrap.empty() && gone->second_wrap.empty());
}

void check_mended_slot(ByteView input) {
  if (input.size() < ledger::kKeySlotBytes) return;
  Bytes slot = to_bytes(input.first(ledger::kKeySlotBytes));
  const Digest digest = crypto::sha256(
      {as_bytes("candor/v1/slot\0"sv), ByteView(slot).first(ledger::kKeySlotBytes - 8)});
  std::ranges::copy(ByteView(digest).first(8), std::span(slot).last(8).begin());
  check_slot(slot);
}

void check_record(ByteView bytes) {
  const auto record = ledger::decode_sealed_record(bytes);
  if (!record) return;
  const auto again = ledger::encode_sealed_record(*record);
  CANDOR_CHECK(again && std::ranges::equal(*again, bytes));
  const auto opened = ledger::open_sealed_record(*record, kRoot);
  if (!opened) return;
  for (const auto& transcript : *opened) {
    for (const auto& text : transcript.texts) CANDOR_CHECK(!text);
  }
}

// The input as texts, cut at zero bytes: sealed, decoded and opened.
void check_sealing(std::string_view input) {
  Transcript transcript;
  for (std::size_t i = 0; i < 16 && !input.empty(); ++i) {
    const std::string_view text = input.substr(0, input.find('\0'));
    input.remove_prefix(std::min(input.size(), text.size() + 1));
    transcript.push_back(
        {.path = "field/" + std::to_string(i), .text = Sensitive<std::string>(std::string(text))});
  }
  FakeRandom random(1);
  const Id128 id = make_id(random);
  const auto commitment =
      ledger::commit(ledger::opening_key(kRoot, "note"), id, "note", transcript);
  const ledger::SealInput part{
      .name = "note", .transcript = &transcript, .commitment = &commitment};
  const auto sealed = ledger::seal_exchange(kRoot, id, std::span(&part, 1), random);
  CANDOR_CHECK(sealed.has_value());
  const auto record = ledger::decode_sealed_record(*sealed);
  CANDOR_CHECK(record.has_value());
  const auto again = ledger::encode_sealed_record(*record);
  CANDOR_CHECK(again && *again == *sealed);
  const auto opened = ledger::open_sealed_record(*record, kRoot);
  CANDOR_CHECK(opened && opened->size() == 1);
  CANDOR_CHECK(opened->front().texts.size() == transcript.size());
  for (std::size_t i = 0; i < transcript.size(); ++i) {
    const auto& text = opened->front().texts[i];
    CANDOR_CHECK(text && text->reveal() == transcript[i].text.reveal());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input = std::as_bytes(std::span(data, size));
  check_slot(input);
  check_mended_slot(input);
  check_record(input);
  check_sealing(as_text(input));
  return 0;
}
