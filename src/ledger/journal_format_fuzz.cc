// A segment that is read is written back to identical bytes: its header, and each batch but for
// what an erased auxiliary record holds. Batches go on from one another, a clean segment ends in
// zeros, and a name of a segment has one spelling. Each input is read as it is, and once more with
// its digests made right, so that what lies behind them is reached.
#include <algorithm>
#include <cstdint>

#include "base/check.h"
#include "crypto/hash.h"
#include "ledger/journal_format.h"

namespace {

using namespace candor;
using namespace std::string_view_literals;

constexpr std::size_t kBatchHeader = 64;
constexpr std::size_t kCheckBytes = 8;

std::size_t number(ByteView bytes, std::size_t offset, std::size_t width) {
  std::size_t value = 0;
  for (const std::byte b : bytes.subspan(offset, width)) {
    value = (value << 8U) | std::to_integer<std::size_t>(b);
  }
  return value;
}

void put_digest(std::span<std::byte> out, std::initializer_list<ByteView> parts) {
  const Digest digest = crypto::sha256(parts);
  std::ranges::copy(ByteView(digest).first(out.size()), out.begin());
}

// docs/formats/journal.md: the digest of a header, of each page that says it is a batch, and the
// check of each of its auxiliary records.
void mend(Bytes& segment) {
  const std::span all(segment);
  if (segment.size() >= ledger::kJournalPage) {
    const std::size_t end = 58 + std::min<std::size_t>(number(segment, 56, 2), 200);
    put_digest(all.subspan(end, 32), {ByteView(segment).first(end)});
  }
  for (std::size_t at = 0; at + ledger::kJournalPage <= segment.size();
       at += ledger::kJournalPage) {
    const std::span batch = all.subspan(at);
    if (!ledger::looks_like_batch(batch)) continue;
    const std::size_t covered = number(batch, 20, 4) + number(batch, 24, 4);
    const std::size_t total = kBatchHeader + covered + number(batch, 28, 4);
    if (total > batch.size()) continue;
    put_digest(batch.subspan(32, 32), {as_bytes("candor/v1/batch\0"sv), ByteView(batch).first(32),
                                       ByteView(batch).subspan(kBatchHeader, covered)});
    for (std::size_t aux = kBatchHeader + covered; aux + ledger::kAuxHeaderBytes <= total;) {
      const std::size_t payload = number(batch, aux + 4, 4);
      if (payload > total - aux - ledger::kAuxHeaderBytes) break;
      put_digest(batch.subspan(aux + 8, kCheckBytes),
                 {as_bytes("candor/v1/aux\0"sv), ByteView(batch).subspan(aux, 1),
                  ByteView(batch).subspan(aux + 4, 4),
                  ByteView(batch).subspan(aux + ledger::kAuxHeaderBytes, payload)});
      aux += ledger::kAuxHeaderBytes + payload;
    }
  }
}

void check_batch(ByteView bytes, const ledger::Batch& batch) {
  CANDOR_CHECK(ledger::looks_like_batch(bytes));
  CANDOR_CHECK(batch.bytes % ledger::kJournalPage == 0 && batch.bytes <= bytes.size());
  ledger::BatchBuilder builder;
  builder.begin(batch.first_index);
  for (const std::string_view entry : batch.entries) {
    CANDOR_CHECK(builder.add_entry(entry).has_value());
  }
  for (const ledger::AuxView& aux : batch.aux) {
    CANDOR_CHECK(builder.add_aux({.kind = aux.kind, .payload = aux.payload}).has_value());
  }
  const auto sealed = builder.seal(batch.head);
  CANDOR_CHECK(sealed.has_value());
  Bytes again = to_bytes(*sealed);
  CANDOR_CHECK(again.size() == batch.bytes);
  for (const ledger::AuxView& aux : batch.aux) {
    if (aux.state != ledger::AuxState::kErased) continue;
    again[aux.state_offset] = static_cast<std::byte>(aux.state);
    std::ranges::copy(bytes.subspan(aux.payload_offset - kCheckBytes, kCheckBytes),
                      std::span(again).subspan(aux.payload_offset - kCheckBytes).begin());
  }
  CANDOR_CHECK(std::ranges::equal(again, bytes.first(batch.bytes)));
}

void check_segment(ByteView segment) {
  if (const auto batch = ledger::decode_batch(segment)) check_batch(segment, *batch);
  const auto scan = ledger::scan_segment(segment);
  if (!scan) {
    CANDOR_CHECK(!ledger::decode_segment_header(segment));
    return;
  }
  const auto page = ledger::encode_segment_header(scan->header);
  CANDOR_CHECK(page && std::ranges::equal(*page, segment.first(ledger::kJournalPage)));
  std::size_t offset = ledger::kJournalPage;
  std::uint64_t next = scan->header.first_index;
  for (const auto& place : scan->batches) {
    CANDOR_CHECK(place.offset == offset && place.batch.first_index == next);
    check_batch(segment.subspan(offset), place.batch);
    offset += place.batch.bytes;
    next += place.batch.entries.size();
  }
  CANDOR_CHECK(scan->end_offset == offset);
  const bool zeros = std::ranges::all_of(segment.subspan(std::min(offset, segment.size())),
                                         [](std::byte b) { return b == std::byte{0}; });
  CANDOR_CHECK(zeros == (scan->end == ledger::SegmentEnd::kClean));
  CANDOR_CHECK(scan->what.empty() == (scan->end == ledger::SegmentEnd::kClean));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input = std::as_bytes(std::span(data, size));
  if (const auto index = ledger::parse_segment_name(as_text(input))) {
    CANDOR_CHECK(ledger::segment_name(*index) == as_text(input));
  }
  check_segment(input);
  Bytes mended = to_bytes(input);
  mend(mended);
  check_segment(mended);
  return 0;
}
