#include "models/bundle.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <set>

#include <fmt/format.h>

#include "crypto/hash.h"

namespace candor::models {
namespace {

constexpr std::size_t kBlock = 512;
constexpr std::string_view kManifestName = "candor-model.json";
constexpr std::uint64_t kOctalMost = 077'777'777'777ULL;  // 8 GiB - 1

// Fields of a POSIX ustar header (IEEE 1003.1, pax): offset and length.
struct Field {
  std::size_t at, size;
};
constexpr Field kName{0, 100}, kMode{100, 8}, kUid{108, 8}, kGid{116, 8}, kSize{124, 12},
    kTime{136, 12}, kSum{148, 8}, kType{156, 1}, kMagic{257, 8};

using Header = std::array<char, kBlock>;

void put(Header& header, Field field, std::string_view text) {
  std::copy_n(text.data(), std::min(text.size(), field.size), header.data() + field.at);
}

Header header_for(std::string_view name, std::uint64_t size) {
  Header out{};
  put(out, kName, name);
  put(out, kMode, "0000400");
  put(out, kUid, "0000000");
  put(out, kGid, "0000000");
  put(out, kTime, "00000000000");
  if (size <= kOctalMost) {
    put(out, kSize, fmt::format("{:011o}", size));
  } else {
    std::array<char, 12> base256{};
    base256[0] = static_cast<char>(0x80);
    for (std::size_t i = 0; i < 8; ++i) {
      base256[11 - i] = static_cast<char>(size >> (8 * i) & 0xffU);
    }
    put(out, kSize, std::string_view(base256.data(), base256.size()));
  }
  put(out, kType, "0");
  put(out, kMagic,
      std::string_view("ustar\0"
                       "00",
                       8));
  put(out, kSum, "        ");
  unsigned sum = 0;
  for (const char c : out) sum += static_cast<unsigned char>(c);
  put(out, kSum, fmt::format("{:06o}", sum));
  out[kSum.at + 6] = '\0';
  out[kSum.at + 7] = ' ';
  return out;
}

std::uint64_t padded(std::uint64_t size) { return (size + kBlock - 1) / kBlock * kBlock; }

std::string blob_name(const Digest& sha256) { return "blobs/sha256-" + to_hex(sha256); }

// The header at `at` must be what the writer writes for this name; only the size is read from it.
Result<std::uint64_t> expect_header(File& bundle, std::uint64_t at, std::string_view name) {
  Header header{};
  TRY(bundle.read_at(at, std::as_writable_bytes(std::span(header))));
  std::uint64_t size = 0;
  const auto* digits = header.data() + kSize.at;
  if (static_cast<unsigned char>(digits[0]) == 0x80) {
    for (std::size_t i = 4; i < 12; ++i) size = size << 8U | static_cast<unsigned char>(digits[i]);
  } else {
    for (std::size_t i = 0; i < 11; ++i) {
      if (digits[i] < '0' || digits[i] > '7') break;
      size = size << 3U | static_cast<std::uint64_t>(digits[i] - '0');
    }
  }
  if (header_for(name, size) != header) {
    return fail(Code::kInvalidArgument,
                fmt::format("no bundle of a model: at byte {} should stand the file {}", at, name));
  }
  return size;
}

}  // namespace

Result<void> export_bundle(const ModelStore& store, const Manifest& manifest, const Path& out,
                           const Advance& advance) {
  FileSystem& files = store.files();
  const auto file = TRY(files.open(out, OpenMode::kCreateNew));
  Manifest bare = manifest;
  bare.admitted_us = 0;
  bare.gate = {};
  const std::string text = TRY(to_json(bare));
  std::uint64_t at = 0;
  Bytes block(1U << 20U);
  const auto begin = [&](std::string_view name, std::uint64_t size) -> Result<void> {
    const Header header = header_for(name, size);
    TRY(file->write_at(at, std::as_bytes(std::span(header))));
    at += kBlock;
    return {};
  };
  const auto pad = [&](std::uint64_t size) -> Result<void> {
    const Bytes zeros(padded(size) - size);
    if (!zeros.empty()) TRY(file->write_at(at + size, zeros));
    at += padded(size);
    return {};
  };
  const auto write = [&]() -> Result<void> {
    TRY(begin(kManifestName, text.size()));
    TRY(file->write_at(at, as_bytes(text)));
    TRY(pad(text.size()));
    std::set<Digest> done;
    for (const StoredFile& one : bare.files) {
      if (!done.insert(one.sha256).second) continue;
      const auto from = TRY(files.open(store.blob(one.sha256), OpenMode::kRead));
      if (TRY(from->size()) != one.size) {
        return fail(Code::kDataLoss, one.path + " is damaged: run candor model verify");
      }
      TRY(begin(blob_name(one.sha256), one.size));
      crypto::Sha256 hash;
      for (std::uint64_t done_bytes = 0; done_bytes < one.size;) {
        const std::size_t count = std::min<std::uint64_t>(block.size(), one.size - done_bytes);
        TRY(from->read_at(done_bytes, std::span(block).first(count)));
        hash.update(std::span(block).first(count));
        TRY(file->write_at(at + done_bytes, std::span(block).first(count)));
        done_bytes += count;
        if (advance) advance(count);
      }
      if (hash.finish() != one.sha256) {
        return fail(Code::kDataLoss, one.path + " is damaged: run candor model verify");
      }
      TRY(pad(one.size));
    }
    TRY(file->write_at(at, Bytes(2 * kBlock)));
    TRY(file->sync());
    return files.sync_folder(out.parent_path().empty() ? Path(".") : out.parent_path());
  };
  auto done = write();
  if (!done) (void)files.remove(out);
  return done;
}

Result<BundleFrame> read_bundle(File& bundle) {
  const std::uint64_t whole = TRY(bundle.size());
  const auto within = [&](std::uint64_t at, std::uint64_t size) {
    return size <= whole && at <= whole - size;
  };
  if (whole < 4 * kBlock || whole % kBlock != 0) {
    return fail(Code::kInvalidArgument, "no bundle of a model: its length is no tar's");
  }
  std::uint64_t at = 0;
  const auto zeros_up_to = [&](std::uint64_t from, std::uint64_t to) -> Result<void> {
    Bytes rest(to - from);
    TRY(bundle.read_at(from, rest));
    if (std::ranges::any_of(rest, [](std::byte b) { return b != std::byte{0}; })) {
      return fail(Code::kInvalidArgument,
                  fmt::format("no bundle of a model: bytes at {} that belong to nothing", from));
    }
    return {};
  };
  const auto take = [&](std::string_view name, std::uint64_t most) -> Result<BundleFile> {
    if (!within(at, kBlock)) return fail(Code::kInvalidArgument, "the bundle ends early");
    const std::uint64_t size = TRY(expect_header(bundle, at, name));
    if (size > most || !within(at + kBlock, padded(size))) {
      return fail(Code::kInvalidArgument, "the bundle ends early, or a size is out of bounds");
    }
    const BundleFile out{.offset = at + kBlock, .size = size};
    TRY(zeros_up_to(out.offset + size, out.offset + padded(size)));
    at = out.offset + padded(size);
    return out;
  };
  const BundleFile document = TRY(take(kManifestName, kMaxManifestBytes));
  Bytes text(document.size);
  TRY(bundle.read_at(document.offset, text));
  BundleFrame out;
  out.manifest = TRY(manifest_from_json(as_text(text)));
  if (out.manifest.admitted_us != 0 || !out.manifest.gate.by.empty()) {
    return fail(Code::kInvalidArgument, "a bundle brings no verdict of a gate");
  }
  std::set<Digest> done;
  for (const StoredFile& file : out.manifest.files) {
    if (!done.insert(file.sha256).second) continue;
    BundleFile one = TRY(take(blob_name(file.sha256), kMaxFileBytes));
    if (one.size != file.size) {
      return fail(Code::kInvalidArgument, file.path + " has another size than the manifest says");
    }
    one.sha256 = file.sha256;
    out.files.push_back(one);
  }
  if (whole - at != 2 * kBlock) {
    return fail(Code::kInvalidArgument, "the bundle does not end where its manifest does");
  }
  TRY(zeros_up_to(at, whole));
  return out;
}

Result<Manifest> import_bundle(const ModelStore& store, const std::string& name, const Path& bundle,
                               const Advance& advance) {
  FileSystem& files = store.files();
  const auto file = TRY(files.open(bundle, OpenMode::kRead));
  const BundleFrame frame = TRY(read_bundle(*file));
  QuarantineEntry entry = TRY(store.enter_quarantine(name));
  if (TRY(entry.plan()) || TRY(entry.manifest())) {
    return fail(Code::kFailedPrecondition,
                fmt::format("{0} is in quarantine already; 'candor model remove {0}' makes room, "
                            "or choose another --name",
                            name));
  }
  const auto bring = [&]() -> Result<void> {
    Bytes block(1U << 20U);
    for (std::size_t i = 0; i < frame.manifest.files.size(); ++i) {
      const StoredFile& wanted = frame.manifest.files[i];
      const auto from = std::ranges::find(frame.files, wanted.sha256, &BundleFile::sha256);
      Part part = TRY(entry.part(part_label(i)));
      TRY(part.restart());
      TRY(part.expect(wanted.size, ""));
      crypto::Sha256 hash;
      for (std::uint64_t at = 0; at < wanted.size;) {
        const std::size_t count = std::min<std::uint64_t>(block.size(), wanted.size - at);
        TRY(file->read_at(from->offset + at, std::span(block).first(count)));
        hash.update(std::span(block).first(count));
        TRY(part.write(at, std::span(block).first(count)));
        at += count;
        if (advance) advance(count);
      }
      if (hash.finish() != wanted.sha256) {
        return fail(Code::kDataLoss, wanted.path + " in the bundle is not what its name says");
      }
      TRY(part.checkpoint());
    }
    return entry.put_manifest(frame.manifest);
  };
  const auto done = bring();
  if (!done) {
    (void)entry.discard();
    return std::unexpected(done.error());
  }
  return frame.manifest;
}

}  // namespace candor::models
