#include "models/hashing.h"

#include <algorithm>

#include <fmt/format.h>

#include "crypto/git_blob.h"
#include "crypto/hash.h"

namespace candor::models {
namespace {
constexpr std::size_t kBlock = 1U << 20U;
}

Result<FileDigests> digest_file(File& file, GitId git, const Advance& advance) {
  FileDigests out{.size = TRY(file.size())};
  crypto::Sha256 sha256;
  crypto::GitBlobId blob(out.size);
  Bytes block(std::min<std::uint64_t>(kBlock, std::max<std::uint64_t>(out.size, 1)));
  for (std::uint64_t at = 0; at < out.size;) {
    const auto piece = std::span(block).first(std::min<std::uint64_t>(block.size(), out.size - at));
    TRY(file.read_at(at, piece));
    sha256.update(piece);
    if (git == GitId::kYes) blob.update(piece);
    at += piece.size();
    if (advance) advance(piece.size());
  }
  out.sha256 = sha256.finish();
  if (git == GitId::kYes) out.git_sha1 = blob.finish();
  return out;
}

}  // namespace candor::models
