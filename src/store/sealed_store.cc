#include "store/sealed_store.h"

#include <algorithm>

#include "base/text.h"
#include "ledger/sealed_format.h"

namespace candor::store {
namespace {

constexpr std::string_view kMagic = "CANDPAK1";
constexpr std::size_t kPackHeader = 32;
constexpr std::size_t kRecordHeader = 4 + 4 + 16;
constexpr std::uint64_t kMaxPackBytes = 256U << 20U;
constexpr std::size_t kPiece = 128U << 10U;  // so that no flush of the journal waits for megabytes
constexpr std::int64_t kPackSpanUs = 86'400'000'000;
constexpr std::size_t kLargeHeader = 8;
constexpr std::byte kLive{1};
constexpr std::byte kErased{2};
constexpr std::string_view kSuffix = ".pack";

struct RecordHeader {
  std::uint32_t length = 0;
  std::byte state{};
  Id128 id{};
};

Result<RecordHeader> decode_header(ByteView bytes) {
  ByteReader reader(bytes);
  RecordHeader header;
  header.length = TRY(reader.u32());
  const ByteView state = TRY(reader.bytes(4));
  header.state = state[0];
  std::ranges::copy(TRY(reader.bytes(header.id.size())), header.id.begin());
  if ((header.state != kLive && header.state != kErased) || state[1] != std::byte{0} ||
      state[2] != std::byte{0} || state[3] != std::byte{0} ||
      header.length > ledger::kMaxSealedRecordBytes) {
    return fail(Code::kInvalidArgument, "no sealed record stands here");
  }
  return header;
}

Result<std::uint64_t> parse_pack_name(std::string_view name) {
  if (name.size() != 20 + kSuffix.size() || !name.ends_with(kSuffix)) {
    return fail(Code::kInvalidArgument, "not a pack's name");
  }
  std::string_view digits = name.substr(0, 20);
  digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size() - 1));
  return parse_decimal(digits);
}

}  // namespace

SealedStore::SealedStore(FileSystem& files, DataPaths paths, Clock& clock)
    : files_(files), paths_(std::move(paths)), clock_(clock) {}

Path SealedStore::pack_path(std::uint64_t pack) const {
  const std::string digits = std::to_string(pack);
  return paths_.packs() / (std::string(20 - digits.size(), '0') + digits + std::string(kSuffix));
}

Path SealedStore::large_path(const Id128& id, SealedHalf half) const {
  return paths_.large() / (to_hex(id) + (half == SealedHalf::kRequest ? ".request" : ".answer"));
}

Result<void> SealedStore::begin_pack(std::uint64_t first_index) {
  pack_.reset();
  // A pack of this name was begun for a publication that did not finish.
  const Path path = pack_path(first_index);
  {
    const auto file = TRY(files_.open(path, OpenMode::kCreate));
    TRY(file->truncate(0));
  }
  auto file = TRY(files_.open(path, OpenMode::kDurable));
  Bytes header = to_bytes(as_bytes(kMagic));
  const std::int64_t now = clock_.wall_us();
  put_u64(header, static_cast<std::uint64_t>(now));
  header.resize(kPackHeader);
  TRY(file->write_at(0, header));
  TRY(files_.sync_folder(paths_.packs()));
  pack_ = std::move(file);
  pack_name_ = first_index;
  pack_bytes_ = kPackHeader;
  pack_since_us_ = now;
  return {};
}

Result<std::vector<SealedPlace>> SealedStore::append(std::uint64_t first_index,
                                                     const std::vector<Record>& records,
                                                     Pacer& pacer) {
  const std::lock_guard lock(mutex_);
  if (pack_ == nullptr || pack_bytes_ >= kMaxPackBytes ||
      clock_.wall_us() - pack_since_us_ >= kPackSpanUs) {
    TRY(begin_pack(first_index));
  }
  std::unique_ptr<File> pack = std::move(pack_);  // forgotten unless all goes well
  Bytes piece;
  const auto write = [&]() -> Result<void> {
    TRY(pack->write_at(pack_bytes_, piece));
    pack_bytes_ += piece.size();
    piece.clear();
    return {};
  };
  std::vector<SealedPlace> places;
  places.reserve(records.size());
  for (const Record& record : records) {
    places.push_back({.pack = pack_name_, .offset = pack_bytes_ + piece.size()});
    put_u32(piece, static_cast<std::uint32_t>(record.bytes.size()));
    piece.push_back(kLive);
    piece.resize(piece.size() + 3);
    put_bytes(piece, record.id);
    put_bytes(piece, record.bytes);
    pacer.breathe();
    if (piece.size() >= kPiece) TRY(write());
  }
  if (!piece.empty()) TRY(write());
  pack_ = std::move(pack);
  return places;
}

Result<Bytes> SealedStore::read(const SealedPlace& place, const Id128& id) {
  const auto file = TRY(files_.open(pack_path(place.pack), OpenMode::kRead));
  Bytes bytes(kRecordHeader);
  TRY(file->read_at(place.offset, bytes));
  const RecordHeader header = TRY(decode_header(bytes));
  if (header.id != id || header.state != kLive) {
    return fail(Code::kNotFound, "the sealed record is erased");
  }
  bytes.resize(header.length);
  TRY(file->read_at(place.offset + kRecordHeader, bytes));
  return bytes;
}

Result<void> SealedStore::erase(const SealedPlace& place, const Id128& id) {
  auto file = files_.open(pack_path(place.pack), OpenMode::kReadWrite);
  if (!file) {
    if (file.error().code() == Code::kNotFound) return {};
    return std::unexpected(file.error());
  }
  Bytes bytes(kRecordHeader);
  TRY((*file)->read_at(place.offset, bytes));
  const RecordHeader header = TRY(decode_header(bytes));
  if (header.id != id) return fail(Code::kDataLoss, "another record stands in the pack");
  TRY((*file)->write_at(place.offset + 4, ByteView(&kErased, 1)));
  const Bytes zeros(header.length);
  TRY((*file)->write_at(place.offset + kRecordHeader, zeros));
  return (*file)->sync();
}

Result<void> SealedStore::write_large(const Id128& id, SealedHalf half, ByteView bytes) {
  const auto file = TRY(files_.open(large_path(id, half), OpenMode::kCreate));
  Bytes header;
  put_u64(header, static_cast<std::uint64_t>(clock_.wall_us()));
  TRY(file->truncate(0));
  TRY(file->write_at(0, header));
  TRY(file->write_at(kLargeHeader, bytes));
  TRY(file->sync());
  return files_.sync_folder(paths_.large());
}

Result<Bytes> SealedStore::read_large(const Id128& id, SealedHalf half) {
  Bytes bytes =
      TRY(read_file(files_, large_path(id, half), ledger::kMaxSealedRecordBytes + kLargeHeader));
  if (bytes.size() < kLargeHeader) return fail(Code::kDataLoss, "a sealed file is cut off");
  bytes.erase(bytes.begin(), bytes.begin() + kLargeHeader);
  return bytes;
}

Result<void> SealedStore::erase_large(const Id128& id) {
  for (const SealedHalf half : {SealedHalf::kRequest, SealedHalf::kAnswer}) {
    const Path path = large_path(id, half);
    auto file = files_.open(path, OpenMode::kReadWrite);
    if (!file) {
      if (file.error().code() == Code::kNotFound) continue;
      return std::unexpected(file.error());
    }
    const Bytes zeros(TRY((*file)->size()));
    TRY((*file)->write_at(0, zeros));
    TRY((*file)->sync());
    TRY(files_.remove(path));
    TRY(files_.sync_folder(paths_.large()));
  }
  return {};
}

Result<void> SealedStore::scan(const Visit& visit) {
  for (const std::string& name : TRY(files_.list(paths_.packs()))) {
    const auto pack = parse_pack_name(name);
    if (!pack) continue;
    const auto file = TRY(files_.open(paths_.packs() / name, OpenMode::kRead));
    const std::uint64_t size = TRY(file->size());
    std::uint64_t offset = kPackHeader;
    Bytes bytes;
    while (offset + kRecordHeader <= size) {
      bytes.resize(kRecordHeader);
      TRY(file->read_at(offset, bytes));
      const auto header = decode_header(bytes);
      if (!header || offset + kRecordHeader + header->length > size) break;
      if (header->state == kLive) {
        bytes.resize(header->length);
        TRY(file->read_at(offset + kRecordHeader, bytes));
        TRY(visit({.pack = *pack, .offset = offset}, header->id, bytes));
      }
      offset += kRecordHeader + header->length;
    }
  }
  for (const std::string& name : TRY(files_.list(paths_.large()))) {
    const auto id = id_from_hex(std::string_view(name).substr(0, name.find('.')));
    if (!id) continue;
    const auto bytes =
        read_large(*id, name.ends_with(".request") ? SealedHalf::kRequest : SealedHalf::kAnswer);
    if (bytes) TRY(visit({.pack = UINT64_MAX, .offset = 0}, *id, *bytes));
  }
  return {};
}

Result<std::uint64_t> SealedStore::remove_older_than(std::int64_t wall_us) {
  const std::lock_guard lock(mutex_);
  std::uint64_t freed = 0;
  const auto begun = [&](const Path& path, std::size_t at) -> Result<std::int64_t> {
    const auto file = TRY(files_.open(path, OpenMode::kRead));
    Bytes bytes(8);
    TRY(file->read_at(at, bytes));
    return static_cast<std::int64_t>(TRY(ByteReader(bytes).u64()));
  };
  const auto remove = [&](const Path& path) -> Result<void> {
    const auto file = TRY(files_.open(path, OpenMode::kRead));
    freed += TRY(file->size());
    return files_.remove(path);
  };
  std::vector<Path> packs;
  for (const std::string& name : TRY(files_.list(paths_.packs()))) {
    if (parse_pack_name(name)) packs.push_back(paths_.packs() / name);
  }
  for (std::size_t i = 0; i < packs.size(); ++i) {
    const bool current = pack_ != nullptr && packs[i] == pack_path(pack_name_);
    // The last record of a pack is no newer than the next pack's beginning, or than its own span.
    const auto own = begun(packs[i], kMagic.size());
    std::int64_t newest = own ? *own + kPackSpanUs : 0;
    if (i + 1 < packs.size()) {
      const auto next = begun(packs[i + 1], kMagic.size());
      if (next) newest = std::min(newest, *next);
    }
    if (newest >= wall_us) continue;
    if (current) pack_.reset();
    TRY(remove(packs[i]));
  }
  for (const std::string& name : TRY(files_.list(paths_.large()))) {
    const auto written = begun(paths_.large() / name, 0);
    if (written && *written < wall_us) TRY(remove(paths_.large() / name));
  }
  TRY(files_.sync_folder(paths_.packs()));
  TRY(files_.sync_folder(paths_.large()));
  return freed;
}

}  // namespace candor::store
