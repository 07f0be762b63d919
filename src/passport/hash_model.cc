#include "passport/hash_model.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <utility>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/thread.h"
#include "crypto/hash.h"
#include "passport/internal/fields.h"

namespace candor::passport {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxDepth = 64;
constexpr std::size_t kReadBytes = 1U << 20U;
constexpr int kOpen = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) noexcept : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

Result<Descriptor> open_at(int folder, const std::string& name, std::string_view label) {
  Descriptor fd(openat(folder, name.c_str(), kOpen));
  if (fd.get() >= 0) return fd;
  const int why = errno;
  if (why == ELOOP) {
    return fail(Code::kInvalidArgument,
                fmt::format("{} is a symbolic link: put the file itself there", shown(label)));
  }
  if (why == ENOENT) return fail(Code::kNotFound, fmt::format("no file {}", shown(label)));
  return fail(why == EACCES ? Code::kPermissionDenied : Code::kUnavailable,
              fmt::format("{} cannot be opened", shown(label)));
}

// The path that the user gave may itself be a link: it is the user's.
Result<Descriptor> open_root(const fs::path& model) {
  std::error_code error;
  const fs::path real = fs::canonical(model, error);
  if (error) return fail(Code::kNotFound, fmt::format("no file {}", model.string()));
  return open_at(AT_FDCWD, real.string(), model.string());
}

Result<Descriptor> open_beneath(int root, const std::string& path) {
  if (path == ".") return Descriptor(fcntl(root, F_DUPFD_CLOEXEC, 0));
  Descriptor at;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    at = TRY(open_at(at.get() < 0 ? root : at.get(), path.substr(begin, end - begin), path));
    begin = end + 1;
  }
  return at;
}

Result<struct stat> facts_of(const Descriptor& fd, std::string_view label) {
  struct stat facts{};
  if (fstat(fd.get(), &facts) != 0) {
    return fail(Code::kUnavailable, fmt::format("{} cannot be read", shown(label)));
  }
  if (!S_ISREG(facts.st_mode) && !S_ISDIR(facts.st_mode)) {
    return fail(Code::kInvalidArgument,
                fmt::format("{} is neither a file nor a folder", shown(label)));
  }
  return facts;
}

Result<std::vector<std::string>> names_in(Descriptor folder, std::string_view label) {
  DIR* const stream = fdopendir(folder.get());
  if (stream == nullptr) {
    return fail(Code::kUnavailable, fmt::format("{} cannot be listed", shown(label)));
  }
  (void)folder.release();  // the stream's now
  std::vector<std::string> out;
  while (const dirent* one = readdir(stream)) {
    const std::string_view name = one->d_name;
    if (name != "." && name != "..") out.emplace_back(name);
  }
  closedir(stream);
  return out;
}

// NOLINTNEXTLINE(misc-no-recursion): no deeper than kMaxDepth
Result<void> walk(Descriptor folder, const std::string& prefix, int depth,
                  const std::vector<std::string>& ignored, std::vector<ModelFile>& out) {
  if (depth > kMaxDepth) {
    return fail(Code::kResourceExhausted, "a model's folders are at most 64 deep");
  }
  const int here = folder.get();
  const Descriptor kept(fcntl(here, F_DUPFD_CLOEXEC, 0));
  const auto names = TRY(names_in(std::move(folder), prefix.empty() ? "." : prefix));
  for (const std::string& name : names) {
    const std::string path = prefix + name;
    if (is_ignored(path, ignored)) continue;
    if (!is_model_path(path)) {
      return fail(Code::kInvalidArgument,
                  fmt::format("the name {} cannot stand in a signature", shown(path)));
    }
    Descriptor fd = TRY(open_at(kept.get(), name, path));
    const auto facts = TRY(facts_of(fd, path));
    if (S_ISDIR(facts.st_mode)) {
      TRY(walk(std::move(fd), path + "/", depth + 1, ignored, out));
      continue;
    }
    if (out.size() == kMaxResources) {
      return fail(Code::kResourceExhausted, "a model has at most 1,048,576 files");
    }
    out.push_back({.path = path, .bytes = static_cast<std::uint64_t>(facts.st_size)});
  }
  return {};
}

Result<Digest> hash_piece(int root, const Piece& piece, std::vector<std::byte>& buffer) {
  const Descriptor fd = TRY(open_beneath(root, piece.path));
  const auto facts = TRY(facts_of(fd, piece.path));
  if (!S_ISREG(facts.st_mode)) {
    return fail(Code::kInvalidArgument, fmt::format("{} is a folder", shown(piece.path)));
  }
  crypto::Sha256 hash;
  for (std::uint64_t at = piece.start; at < piece.end;) {
    const std::size_t wanted = std::min<std::uint64_t>(buffer.size(), piece.end - at);
    const ssize_t got = pread(fd.get(), buffer.data(), wanted, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      return fail(Code::kUnavailable,
                  fmt::format("{} cannot be read to its end, or grew shorter", shown(piece.path)));
    }
    hash.update(ByteView(buffer).first(static_cast<std::size_t>(got)));
    at += static_cast<std::uint64_t>(got);
  }
  return hash.finish();
}

std::vector<Piece> pieces_of(const std::vector<ModelFile>& files, const OmsManifest& how) {
  std::vector<Piece> out;
  for (const ModelFile& file : files) {
    if (!how.shards) {
      out.push_back({.path = file.path, .start = 0, .end = file.bytes});
      continue;
    }
    for (std::uint64_t at = 0; at < file.bytes;) {
      const std::uint64_t end = at + std::min(how.shard_bytes, file.bytes - at);
      out.push_back({.path = file.path, .start = at, .end = end});
      at = end;
    }
  }
  return out;
}

void list_some(std::string& out, std::string_view what, const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 5;
  if (names.empty()) return;
  if (!out.empty()) out.append("; ");
  out.append(what);
  for (std::size_t i = 0; i < std::min(kShown, names.size()); ++i) {
    out.append(i == 0 ? ": " : ", ").append(shown(names[i]));
  }
  if (names.size() > kShown) out.append(fmt::format(" and {} more", names.size() - kShown));
}

std::string shown_name(const Resource& one, bool shards) {
  return shards ? fmt::format("{}:{}:{}", one.path, one.start, one.end) : one.path;
}

}  // namespace

Result<std::vector<ModelFile>> list_model(const fs::path& model,
                                          const std::vector<std::string>& ignored) {
  Descriptor root = TRY(open_root(model));
  const auto facts = TRY(facts_of(root, model.string()));
  std::vector<ModelFile> out;
  if (S_ISREG(facts.st_mode)) {
    out.push_back({.path = ".", .bytes = static_cast<std::uint64_t>(facts.st_size)});
    return out;
  }
  TRY(walk(std::move(root), "", 0, ignored, out));
  std::vector<Resource> order;
  order.reserve(out.size());
  std::unordered_map<std::string, std::uint64_t> sizes;
  for (ModelFile& file : out) {
    sizes[file.path] = file.bytes;
    order.push_back({.path = std::move(file.path)});
  }
  sort_resources(order);
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = {.path = order[i].path, .bytes = sizes[order[i].path]};
  }
  return out;
}

Result<std::vector<Digest>> hash_pieces(const fs::path& model, std::span<const Piece> pieces,
                                        unsigned threads) {
  const Descriptor root = TRY(open_root(model));
  std::vector<Digest> out(pieces.size());
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  std::optional<Error> failed;  // under mutex: the first
  std::atomic<bool> stop = false;
  const auto work = [&] {
    name_thread("hash");
    std::vector<std::byte> buffer(kReadBytes);
    while (!stop) {
      const std::size_t mine = next++;
      if (mine >= pieces.size()) return;
      auto digest = hash_piece(root.get(), pieces[mine], buffer);
      if (digest) {
        out[mine] = *digest;
        continue;
      }
      stop = true;
      const std::scoped_lock lock(mutex);
      if (!failed) failed = std::move(digest).error();
    }
  };
  if (threads == 0) threads = std::max(1U, std::thread::hardware_concurrency());
  threads = static_cast<unsigned>(std::min<std::size_t>(threads, pieces.size()));
  {
    std::vector<std::jthread> pool;
    for (unsigned i = 0; i < threads; ++i) pool.emplace_back(work);
  }
  if (failed) return std::unexpected(*std::move(failed));
  return out;
}

Result<std::vector<Resource>> hash_resources(const fs::path& model, const OmsManifest& how) {
  const auto files = TRY(list_model(model, how.ignore));
  if (how.shards) {
    for (const ModelFile& file : files) {
      if (file.path.contains(':')) {
        return fail(
            Code::kInvalidArgument,
            fmt::format("{} has a colon in its name: shards cannot name it", shown(file.path)));
      }
    }
  }
  const std::vector<Piece> pieces = pieces_of(files, how);
  const auto digests = TRY(hash_pieces(model, pieces));
  std::vector<Resource> out;
  out.reserve(pieces.size());
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    out.push_back({.path = pieces[i].path,
                   .start = how.shards ? pieces[i].start : 0,
                   .end = how.shards ? pieces[i].end : 0,
                   .digest = digests[i]});
  }
  return out;
}

Result<void> check_model(const fs::path& model, const OmsManifest& manifest,
                         const std::vector<std::string>& also_ignored) {
  OmsManifest how = manifest;
  how.ignore.insert(how.ignore.end(), also_ignored.begin(), also_ignored.end());
  const auto found = TRY(hash_resources(model, how));
  std::unordered_map<std::string, const Resource*> there;
  for (const Resource& one : found) there[shown_name(one, how.shards)] = &one;
  std::vector<std::string> missing, changed, added;
  for (const Resource& one : manifest.resources) {
    const std::string name = shown_name(one, how.shards);
    const auto at = there.find(name);
    if (at == there.end()) {
      missing.push_back(name);
      continue;
    }
    if (at->second->digest != one.digest) changed.push_back(name);
    there.erase(at);
  }
  for (const Resource& one : found) {
    const std::string name = shown_name(one, how.shards);
    if (there.contains(name)) added.push_back(name);
  }
  std::string what;
  list_some(what, "changed since it was signed", changed);
  list_some(what, "missing", missing);
  list_some(what, "there but not signed", added);
  if (!what.empty()) return fail(Code::kDataLoss, std::move(what));
  return {};
}

std::string model_name(const fs::path& model) {
  std::error_code error;
  fs::path path = fs::absolute(model, error).lexically_normal();
  if (path.filename().empty()) path = path.parent_path();
  return path.filename().empty() ? "model" : path.filename().string();
}

}  // namespace candor::passport
