#include "ledger/journal_format.h"

#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "crypto/hash.h"

namespace candor::ledger {
namespace {

constexpr std::string_view kSegmentMagic = "CANDJRN1";
constexpr std::string_view kBatchMagic = "CANDBAT1";
constexpr std::string_view kBatchDomain("candor/v1/batch\0", 16);
constexpr std::string_view kAuxDomain("candor/v1/aux\0", 14);
constexpr std::size_t kBatchCovered = 32;  // header bytes before the digest
constexpr std::size_t kBatchHeader = kBatchCovered + 32;
constexpr std::size_t kMaxOriginBytes = 200;
constexpr std::size_t kMaxHeadBytes = 65'536;
constexpr std::size_t kTypicalHeadBytes = 512;
constexpr std::size_t kCheckBytes = 8;

std::size_t padded(std::size_t bytes) {
  return (bytes + kJournalPage - 1) / kJournalPage * kJournalPage;
}

bool all_zero(ByteView bytes) {
  // An empty or all-equal range compared with itself one byte on: as fast as memcmp.
  return bytes.empty() || (bytes.front() == std::byte{0} &&
                           std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

Digest batch_digest(ByteView header, ByteView entries_and_head) {
  return crypto::sha256({as_bytes(kBatchDomain), header, entries_and_head});
}

Digest aux_digest(std::byte kind, ByteView length, ByteView payload) {
  return crypto::sha256({as_bytes(kAuxDomain), ByteView(&kind, 1), length, payload});
}

void store_u64(std::span<std::byte> out, std::uint64_t value) {
  for (std::size_t i = 0; i < 8; ++i) out[i] = static_cast<std::byte>(value >> (56 - (8 * i)));
}
void store_u32(std::span<std::byte> out, std::size_t value) {
  for (std::size_t i = 0; i < 4; ++i) out[i] = static_cast<std::byte>(value >> (24 - (8 * i)));
}

// One record at `offset` of the batch; advances it.
Result<AuxView> take_aux(ByteView batch, std::size_t& offset, std::size_t end) {
  if (end - offset < kAuxHeaderBytes) {
    return fail(Code::kInvalidArgument, "an auxiliary record ends in its header");
  }
  ByteReader reader(batch.subspan(offset, end - offset));
  const std::uint8_t kind = TRY(reader.u8());
  const std::uint8_t state = TRY(reader.u8());
  const std::uint16_t zero = TRY(reader.u16());
  const ByteView length_bytes = batch.subspan(offset + 4, 4);
  const std::uint32_t length = TRY(reader.u32());
  const ByteView check = TRY(reader.bytes(kCheckBytes));
  if (kind < 1 || kind > 2 || state < 1 || state > 2 || zero != 0) {
    return fail(Code::kInvalidArgument, "an auxiliary record of an unknown kind or state");
  }
  const ByteView payload = TRY(reader.bytes(length));
  if (state == static_cast<std::uint8_t>(AuxState::kLive)) {
    const Digest digest = aux_digest(batch[offset], length_bytes, payload);
    if (!std::ranges::equal(check, ByteView(digest).first(kCheckBytes))) {
      return fail(Code::kInvalidArgument, "an auxiliary record whose check is wrong");
    }
  }
  AuxView view{.kind = static_cast<AuxKind>(kind),
               .state = static_cast<AuxState>(state),
               .state_offset = offset + 1,
               .payload_offset = offset + kAuxHeaderBytes,
               .payload = payload};
  offset += kAuxHeaderBytes + length;
  return view;
}

}  // namespace

std::string segment_name(std::uint64_t first_index) {
  const std::string digits = std::to_string(first_index);
  return std::string(20 - digits.size(), '0') + digits + ".journal";
}

Result<std::uint64_t> parse_segment_name(std::string_view name) {
  const auto bad = [] { return fail(Code::kInvalidArgument, "not the name of a journal segment"); };
  if (name.size() != 28 || !name.ends_with(".journal")) return bad();
  std::string_view digits = name.substr(0, 20);
  digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size() - 1));
  const auto index = parse_decimal(digits);
  if (!index) return bad();
  return *index;
}

Result<Bytes> encode_segment_header(const SegmentHeader& header) {
  if (header.origin.size() > kMaxOriginBytes) {
    return fail(Code::kInvalidArgument, "an origin above 200 bytes");
  }
  Bytes page;
  put_bytes(page, as_bytes(kSegmentMagic));
  put_u32(page, kJournalPage);
  put_u32(page, 0);
  put_u64(page, header.first_index);
  put_bytes(page, header.root);
  put_u16(page, static_cast<std::uint16_t>(header.origin.size()));
  put_bytes(page, as_bytes(header.origin));
  const Digest digest = crypto::sha256(page);
  put_bytes(page, digest);
  page.resize(kJournalPage);
  return page;
}

Result<SegmentHeader> decode_segment_header(ByteView page) {
  if (page.size() < kJournalPage) {
    return fail(Code::kInvalidArgument, "shorter than a segment's header");
  }
  page = page.first(kJournalPage);
  ByteReader reader(page);
  if (as_text(TRY(reader.bytes(kSegmentMagic.size()))) != kSegmentMagic) {
    return fail(Code::kInvalidArgument, "not a journal segment");
  }
  const std::uint32_t page_size = TRY(reader.u32());
  const std::uint32_t zero = TRY(reader.u32());
  SegmentHeader header;
  header.first_index = TRY(reader.u64());
  header.root = TRY(reader.digest());
  const std::uint16_t origin_size = TRY(reader.u16());
  if (origin_size > kMaxOriginBytes)
    return fail(Code::kDataLoss, "the segment's header is damaged");
  header.origin = as_text(TRY(reader.bytes(origin_size)));
  const Digest expected = crypto::sha256(page.first(page.size() - reader.remaining()));
  const Digest digest = TRY(reader.digest());
  if (digest != expected || !all_zero(page.last(reader.remaining()))) {
    return fail(Code::kDataLoss, "the segment's header is damaged");
  }
  if (page_size != kJournalPage || zero != 0) {
    return fail(Code::kInvalidArgument, "a segment with another page size");
  }
  return header;
}

void BatchBuilder::begin(std::uint64_t first_index) {
  first_index_ = first_index;
  entries_ = 0;
  entries_part_.clear();
  aux_part_.clear();
}

Result<void> BatchBuilder::add_entry(std::string_view entry) {
  if (entry.size() > 65'535) return fail(Code::kInvalidArgument, "an entry above 65,535 bytes");
  if (entries_ == kMaxBatchEntries || bytes() + entry.size() + 2 > kMaxBatchBytes) {
    return fail(Code::kResourceExhausted, "the batch is full");
  }
  put_u16(entries_part_, static_cast<std::uint16_t>(entry.size()));
  put_bytes(entries_part_, as_bytes(entry));
  ++entries_;
  return {};
}

Result<void> BatchBuilder::add_aux(const AuxInput& record) {
  const std::size_t size = record.payload.size();
  if (size > kMaxBatchBytes || bytes() + size + kAuxHeaderBytes > kMaxBatchBytes) {
    return fail(Code::kResourceExhausted, "the batch is full");
  }
  const std::size_t start = aux_part_.size();
  aux_part_.resize(start + kAuxHeaderBytes);
  const std::span header = std::span(aux_part_).subspan(start, kAuxHeaderBytes);
  header[0] = static_cast<std::byte>(record.kind);
  header[1] = static_cast<std::byte>(AuxState::kLive);
  store_u32(header.subspan(4, 4), size);
  const Digest digest = aux_digest(header[0], header.subspan(4, 4), record.payload);
  std::ranges::copy(ByteView(digest).first(kCheckBytes), header.begin() + 8);
  put_bytes(aux_part_, record.payload);
  return {};
}

std::size_t BatchBuilder::bytes() const noexcept {
  return padded(kBatchHeader + entries_part_.size() + kTypicalHeadBytes + aux_part_.size());
}

Result<ByteView> BatchBuilder::seal(std::string_view head) {
  if (entries_ == 0) return fail(Code::kInvalidArgument, "a batch without entries");
  if (head.empty() || head.size() > kMaxHeadBytes) {
    return fail(Code::kInvalidArgument, "a batch without a head, or with one above 64 KiB");
  }
  const std::size_t covered = entries_part_.size() + head.size();
  out_.clear();
  out_.resize(padded(kBatchHeader + covered + aux_part_.size()));
  const std::span out(out_);
  std::ranges::copy(as_bytes(kBatchMagic), out.begin());
  store_u64(out.subspan(8, 8), first_index_);
  store_u32(out.subspan(16, 4), entries_);
  store_u32(out.subspan(20, 4), entries_part_.size());
  store_u32(out.subspan(24, 4), head.size());
  store_u32(out.subspan(28, 4), aux_part_.size());
  std::ranges::copy(entries_part_, out.subspan(kBatchHeader).begin());
  std::ranges::copy(as_bytes(head), out.subspan(kBatchHeader + entries_part_.size()).begin());
  std::ranges::copy(aux_part_, out.subspan(kBatchHeader + covered).begin());
  const Digest digest = batch_digest(out.first(kBatchCovered), out.subspan(kBatchHeader, covered));
  std::ranges::copy(digest, out.subspan(kBatchCovered).begin());
  return ByteView(out_);
}

bool looks_like_batch(ByteView page) {
  return page.size() >= kBatchHeader && as_text(page.first(kBatchMagic.size())) == kBatchMagic;
}

Result<Batch> decode_batch(ByteView bytes) {
  const auto bad = [](const char* what) { return fail(Code::kInvalidArgument, what); };
  if (!looks_like_batch(bytes)) return bad("no batch starts here");
  ByteReader reader(bytes.subspan(kBatchMagic.size()));
  Batch batch;
  batch.first_index = TRY(reader.u64());
  const std::uint32_t count = TRY(reader.u32());
  const std::uint64_t entries_size = TRY(reader.u32());
  const std::uint64_t head_size = TRY(reader.u32());
  const std::uint64_t aux_size = TRY(reader.u32());
  const Digest digest = TRY(reader.digest());
  const std::uint64_t total = kBatchHeader + entries_size + head_size + aux_size;
  if (count == 0 || count > kMaxBatchEntries || head_size == 0 || head_size > kMaxHeadBytes ||
      entries_size < 2ULL * count || total > kMaxBatchBytes || padded(total) > bytes.size() ||
      batch.first_index > UINT64_MAX - count) {
    return bad("a batch whose sizes are impossible");
  }
  const ByteView covered = bytes.subspan(kBatchHeader, entries_size + head_size);
  if (batch_digest(bytes.first(kBatchCovered), covered) != digest) {
    return bad("a batch whose digest is wrong");
  }
  ByteReader entries(covered.first(entries_size));
  batch.entries.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint16_t length = TRY(entries.u16());
    batch.entries.push_back(as_text(TRY(entries.bytes(length))));
  }
  if (entries.remaining() != 0) return bad("a batch with more entries than it says");
  batch.head = as_text(covered.subspan(entries_size));
  std::size_t offset = kBatchHeader + entries_size + head_size;
  while (offset < total) batch.aux.push_back(TRY(take_aux(bytes, offset, total)));
  batch.bytes = padded(total);
  if (!all_zero(bytes.subspan(total, batch.bytes - total))) {
    return fail(Code::kDataLoss, "a complete batch whose padding is not zero");
  }
  return batch;
}

Result<SegmentScan> scan_segment(ByteView segment) {
  SegmentScan scan;
  scan.header = TRY(decode_segment_header(segment));
  std::size_t offset = kJournalPage;
  std::uint64_t next = scan.header.first_index;
  const auto damage = [&](std::size_t at, std::string what) {
    scan.end = SegmentEnd::kDamage;
    scan.end_offset = at;
    scan.what = std::move(what);
  };
  const auto place = [](std::size_t at) { return " at byte " + std::to_string(at); };
  while (offset < segment.size()) {
    auto batch = decode_batch(segment.subspan(offset));
    if (!batch && batch.error().code() == Code::kDataLoss) {
      damage(offset, batch.error().message() + place(offset));
      return scan;
    }
    if (!batch) break;
    if (batch->first_index != next) {
      damage(offset, "a batch of entry " + std::to_string(batch->first_index) +
                         " stands where entry " + std::to_string(next) + " is due," +
                         place(offset));
      return scan;
    }
    next += batch->entries.size();
    const std::size_t bytes = batch->bytes;
    scan.batches.push_back({.offset = offset, .batch = *std::move(batch)});
    offset += bytes;
  }
  scan.end_offset = offset;
  if (offset >= segment.size() || all_zero(segment.subspan(offset))) return scan;
  for (std::size_t at = offset + kJournalPage; at < segment.size(); at += kJournalPage) {
    if (!looks_like_batch(segment.subspan(at))) continue;
    if (const auto later = decode_batch(segment.subspan(at));
        later || later.error().code() == Code::kDataLoss) {
      damage(offset,
             "bytes" + place(offset) + " are no batch, but a complete one follows" + place(at));
      return scan;
    }
  }
  scan.end = SegmentEnd::kTornTail;
  scan.what = "a write that was not finished" + place(offset);
  return scan;
}

}  // namespace candor::ledger
