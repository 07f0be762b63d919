#include "models/zip.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>
#include <zlib.h>

#include "base/bytes.h"

namespace candor::models {
namespace {

constexpr std::uint64_t kMaxDirectory = 16U << 20U;
constexpr std::size_t kMaxMembers = 65'536;
constexpr std::size_t kBlock = 1U << 18U;
constexpr std::uint32_t kEnd = 0x06054B50, kEnd64 = 0x06064B50, kLocator = 0x07064B50;
constexpr std::uint32_t kCentral = 0x02014B50, kLocal = 0x04034B50;

// Little-endian fields of a record; the caller has checked its length.
template <typename T>
T field(ByteView record, std::size_t at) {
  T value = 0;
  for (std::size_t i = sizeof(T); i-- > 0;) {
    value = static_cast<T>((value << 8U) | std::to_integer<T>(record[at + i]));
  }
  return value;
}

std::unexpected<Error> malformed(std::string_view what) {
  return fail(Code::kInvalidArgument,
              fmt::format("this is no ZIP archive that can be read: {}", what));
}

struct Directory {
  std::uint64_t offset = 0, size = 0, entries = 0;
};

Result<Directory> find_directory(File& archive, std::uint64_t size) {
  const std::uint64_t tail = std::min<std::uint64_t>(size, 22 + 65'535);
  if (tail < 22) return malformed("it is too short");
  Bytes bytes(tail);
  TRY(archive.read_at(size - tail, bytes));
  std::optional<std::size_t> found;
  for (std::size_t at = tail - 22 + 1; at-- > 0;) {
    if (field<std::uint32_t>(bytes, at) == kEnd &&
        at + 22 + field<std::uint16_t>(bytes, at + 20) == tail) {
      found = at;
      break;
    }
  }
  if (!found) return malformed("its end is not there");
  Directory out{.offset = field<std::uint32_t>(bytes, *found + 16),
                .size = field<std::uint32_t>(bytes, *found + 12),
                .entries = field<std::uint16_t>(bytes, *found + 10)};
  const std::uint64_t end = size - tail + *found;
  if (end >= 20 + 56) {
    Bytes locator(20);
    TRY(archive.read_at(end - 20, locator));
    if (field<std::uint32_t>(locator, 0) == kLocator) {
      const auto at = field<std::uint64_t>(locator, 8);
      if (at > end - 20 - 56) return malformed("its ZIP64 end is out of place");
      Bytes record(56);
      TRY(archive.read_at(at, record));
      if (field<std::uint32_t>(record, 0) != kEnd64) return malformed("its ZIP64 end is not there");
      out = {.offset = field<std::uint64_t>(record, 48),
             .size = field<std::uint64_t>(record, 40),
             .entries = field<std::uint64_t>(record, 32)};
    }
  }
  if (out.size > kMaxDirectory || out.entries > kMaxMembers) {
    return malformed("its directory is too large");
  }
  if (out.offset > end || out.size > end - out.offset) {
    return malformed("its directory points outside it");
  }
  return out;
}

// Sizes of 4 GiB and more stand in an extra field, in this order, if their short field is all ones.
Result<void> read_zip64(ByteView extra, ZipMember& member) {
  while (extra.size() >= 4) {
    const auto id = field<std::uint16_t>(extra, 0);
    const std::size_t length = field<std::uint16_t>(extra, 2);
    if (length > extra.size() - 4) return malformed("an extra field is longer than its record");
    ByteView body = extra.subspan(4, length);
    if (id == 1) {
      for (std::uint64_t* value : {&member.size, &member.stored, &member.header}) {
        if (*value != 0xFFFFFFFFU) continue;
        if (body.size() < 8) return malformed("a ZIP64 field is too short");
        *value = field<std::uint64_t>(body, 0);
        body = body.subspan(8);
      }
    }
    extra = extra.subspan(4 + length);
  }
  return {};
}

Result<std::uint64_t> data_offset(File& archive, const ZipMember& member, std::uint64_t size) {
  if (size < 30 || member.header > size - 30) return malformed("a member lies outside it");
  Bytes local(30);
  TRY(archive.read_at(member.header, local));
  if (field<std::uint32_t>(local, 0) != kLocal) return malformed("a member has no header");
  const std::uint64_t start =
      member.header + 30 + field<std::uint16_t>(local, 26) + field<std::uint16_t>(local, 28);
  if (start > size || member.stored > size - start) return malformed("a member lies outside it");
  return start;
}

class Sink {
 public:
  Sink(File& out, const ZipMember& member) : out_(out), member_(member) {}
  Result<void> take(ByteView data) {
    if (data.size() > member_.size - at_) return malformed("a member is longer than it says");
    TRY(out_.write_at(at_, data));
    crc_ =
        ::crc32(crc_, reinterpret_cast<const Bytef*>(data.data()), static_cast<uInt>(data.size()));
    at_ += data.size();
    return {};
  }
  Result<void> finish() const {
    if (at_ != member_.size) return malformed("a member is shorter than it says");
    if (crc_ != member_.crc32) {
      return fail(Code::kDataLoss, "a member of the archive is damaged (CRC-32)");
    }
    return {};
  }

 private:
  File& out_;
  const ZipMember& member_;
  std::uint64_t at_ = 0;
  uLong crc_ = ::crc32(0, nullptr, 0);
};

// zlib's state, ended when this goes.
struct Inflater {
  z_stream stream{};
  bool ready = ::inflateInit2(&stream, -MAX_WBITS) == Z_OK;
  Inflater() = default;
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() {
    if (ready) ::inflateEnd(&stream);
  }
};

Result<void> inflate_into(File& archive, std::uint64_t at, std::uint64_t stored, Sink& sink) {
  Inflater inflater;
  if (!inflater.ready) return fail(Code::kInternal, "zlib does not start");
  Bytes in(kBlock);
  Bytes out(kBlock);
  int state = Z_OK;
  while (state != Z_STREAM_END) {
    if (inflater.stream.avail_in == 0) {
      if (stored == 0) return malformed("a member's data ends too early");
      const auto piece = std::span(in).first(std::min<std::uint64_t>(in.size(), stored));
      TRY(archive.read_at(at, piece));
      at += piece.size();
      stored -= piece.size();
      inflater.stream.next_in = reinterpret_cast<Bytef*>(in.data());
      inflater.stream.avail_in = static_cast<uInt>(piece.size());
    }
    inflater.stream.next_out = reinterpret_cast<Bytef*>(out.data());
    inflater.stream.avail_out = static_cast<uInt>(out.size());
    state = ::inflate(&inflater.stream, Z_NO_FLUSH);
    if (state != Z_OK && state != Z_STREAM_END && state != Z_BUF_ERROR) {
      return malformed("a member's data is no deflate stream");
    }
    TRY(sink.take(ByteView(out).first(out.size() - inflater.stream.avail_out)));
  }
  return {};
}

}  // namespace

Result<std::vector<ZipMember>> zip_members(File& archive) {
  const std::uint64_t size = TRY(archive.size());
  const Directory directory = TRY(find_directory(archive, size));
  Bytes bytes(directory.size);
  TRY(archive.read_at(directory.offset, bytes));
  ByteView rest = bytes;
  std::vector<ZipMember> members;
  for (std::uint64_t i = 0; i < directory.entries; ++i) {
    if (rest.size() < 46 || field<std::uint32_t>(rest, 0) != kCentral) {
      return malformed("its directory ends too early");
    }
    const std::size_t name = field<std::uint16_t>(rest, 28);
    const std::size_t extra = field<std::uint16_t>(rest, 30);
    const std::size_t comment = field<std::uint16_t>(rest, 32);
    if (rest.size() - 46 < name + extra + comment) return malformed("its directory is cut off");
    ZipMember member{.name = std::string(as_text(rest.subspan(46, name))),
                     .size = field<std::uint32_t>(rest, 24),
                     .stored = field<std::uint32_t>(rest, 20),
                     .header = field<std::uint32_t>(rest, 42),
                     .crc32 = field<std::uint32_t>(rest, 16),
                     .method = field<std::uint16_t>(rest, 10),
                     .encrypted = (field<std::uint16_t>(rest, 8) & 1U) != 0};
    TRY(read_zip64(rest.subspan(46 + name, extra), member));
    members.push_back(std::move(member));
    rest = rest.subspan(46 + name + extra + comment);
  }
  return members;
}

Result<void> extract(File& archive, std::string_view name, File& out) {
  const auto members = TRY(zip_members(archive));
  const auto found = std::ranges::find(members, name, &ZipMember::name);
  if (found == members.end()) return fail(Code::kNotFound, "the archive holds no such file");
  if (std::ranges::count(members, name, &ZipMember::name) > 1) {
    return malformed("two members have this name");
  }
  if (found->encrypted) return fail(Code::kFailedPrecondition, "the archive's member is encrypted");
  const std::uint64_t whole = TRY(archive.size());
  const std::uint64_t at = TRY(data_offset(archive, *found, whole));
  Sink sink(out, *found);
  if (found->method == 8) {
    TRY(inflate_into(archive, at, found->stored, sink));
  } else if (found->method == 0) {
    if (found->stored != found->size) return malformed("a stored member has two sizes");
    Bytes block(kBlock);
    for (std::uint64_t done = 0; done < found->size;) {
      const auto piece =
          std::span(block).first(std::min<std::uint64_t>(block.size(), found->size - done));
      TRY(archive.read_at(at + done, piece));
      TRY(sink.take(piece));
      done += piece.size();
    }
  } else {
    return fail(Code::kFailedPrecondition,
                fmt::format("the archive's member is packed by method {}, which is not read",
                            found->method));
  }
  return sink.finish();
}

}  // namespace candor::models
