#include "passport/measure.h"

#include <algorithm>
#include <array>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/hash.h"
#include "model/descriptor_source.h"
#include "model/tokenizer_digest.h"
#include "passport/hash_model.h"
#include "passport/internal/fields.h"

namespace candor::passport {
namespace {

namespace fs = std::filesystem;

struct Metadata {
  model::GgufSummary summary;
  std::optional<Digest> tokenizer;
};

Result<Metadata> read_metadata(const fs::path& file) {
  const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat facts{};
  if (fd < 0) return fail(Code::kNotFound, file.string() + " cannot be opened");
  const auto read = [&]() -> Result<Metadata> {
    if (fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode)) {
      return fail(Code::kInvalidArgument, file.string() + " is not a regular file");
    }
    model::DescriptorSource source(fd, static_cast<std::uint64_t>(facts.st_size));
    Metadata out;
    out.summary = TRY(model::read_gguf(source));
    out.tokenizer = TRY(model::tokenizer_digest(source));
    return out;
  };
  auto out = read();
  close(fd);
  if (!out) return std::unexpected(std::move(out).error().with_context(file.string()));
  return out;
}

// Whether a file is one that the reader of GGUF is for: by its first bytes, not by its name.
bool is_gguf(const fs::path& file) {
  std::array<char, 4> magic{};
  const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return false;
  const bool out = pread(fd, magic.data(), magic.size(), 0) == 4 &&
                   std::string_view(magic.data(), magic.size()) == "GGUF";
  close(fd);
  return out;
}

fs::path path_of(const fs::path& model, const std::string& inside) {
  return inside == "." ? model : model / inside;
}

// The name under which a passport knows a file of list_model's.
std::string name_of(const fs::path& model, const ModelFile& file) {
  return file.path == "." ? model_name(model) : file.path;
}

std::vector<Piece> shards_of(const ModelFile& file) {
  std::vector<Piece> out;
  for (std::uint64_t at = 0; at < file.bytes; at += kShardBytes) {
    out.push_back({.path = file.path, .start = at, .end = std::min(at + kShardBytes, file.bytes)});
  }
  return out;
}

// Files of at most one shard need no second pass: their shard is the whole.
bool needs_whole(const ModelFile& file) { return file.bytes > kShardBytes; }

std::string quantisation_of(const model::GgufSummary& summary) {
  std::vector<model::TensorTypeUse> types = summary.tensor_types;
  std::ranges::sort(types, [](const auto& a, const auto& b) {
    return a.elements != b.elements ? a.elements > b.elements : a.type < b.type;
  });
  std::string out;
  for (std::size_t i = 0; i < types.size(); ++i) {
    out.append(i == 0 ? "" : i == 1 ? " with " : ", ").append(types[i].name);
  }
  return out;
}

void fill_about(const model::GgufSummary& summary, About& about) {
  using enum Evidence;
  if (!summary.architecture.empty()) {
    about.architecture = {.value = summary.architecture, .evidence = kMeasuredHere};
  }
  if (summary.parameters != 0) {
    about.parameters = {.value = fmt::format("{}", summary.parameters), .evidence = kMeasuredHere};
  }
  if (!summary.tensor_types.empty()) {
    about.quantisation = {.value = quantisation_of(summary), .evidence = kMeasuredHere};
  }
  if (summary.context_length != 0 && summary.context_length < (1ULL << 53U)) {
    about.context = {.value = summary.context_length, .evidence = kMeasuredHere};
  }
  // That the file says so was read here; that it is so is the file's claim.
  if (!summary.licence.empty()) {
    about.licence = {.value = summary.licence, .evidence = kClaimed};
  }
}

// Of a folder of files: the first GGUF's metadata (parts of a split one share it), else digests of
// the files that hold tokenizer and template.
Result<void> fill_metadata(const fs::path& model, const std::vector<ModelFile>& files,
                           Passport& out) {
  for (const ModelFile& file : files) {
    const fs::path path = path_of(model, file.path);
    if (role_by_name(name_of(model, file)) != FileRole::kWeights || !is_gguf(path)) continue;
    const Metadata metadata = TRY(read_metadata(path));
    out.tokenizer = metadata.tokenizer;
    out.chat_template = metadata.summary.chat_template_digest;
    fill_about(metadata.summary, out.about);
    return {};
  }
  crypto::Sha256 tokenizer;
  bool any = false;
  std::size_t templates = 0;
  for (const PassportFile& file : out.files) {
    if (file.role == FileRole::kTokenizer) {
      tokenizer.update(as_bytes(file.name + " " + to_hex(file.sha256) + "\n"));
      any = true;
    }
    if (file.role == FileRole::kTemplate) {
      out.chat_template = file.sha256;
      ++templates;
    }
  }
  if (any) out.tokenizer = tokenizer.finish();
  if (templates != 1) out.chat_template.reset();
  return {};
}

bool ends_with_any(std::string_view name, std::initializer_list<std::string_view> ends) {
  return std::ranges::any_of(ends, [name](std::string_view end) { return name.ends_with(end); });
}

void name_some(std::string& out, std::string_view what, const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 5;
  if (names.empty()) return;
  out.append(out.empty() ? "" : "; ").append(what);
  for (std::size_t i = 0; i < std::min(kShown, names.size()); ++i) {
    out.append(i == 0 ? ": " : ", ").append(shown(names[i]));
  }
  if (names.size() > kShown) out.append(fmt::format(" and {} more", names.size() - kShown));
}

}  // namespace

FileRole role_by_name(std::string_view path) noexcept {
  const std::string_view name = path.substr(path.find_last_of('/') + 1);
  if (name.contains("mmproj")) return FileRole::kProjector;
  if (name.starts_with("adapter_model") || name.contains("lora")) return FileRole::kAdapter;
  if (ends_with_any(name, {".gguf", ".safetensors", ".bin", ".pt", ".pth", ".onnx", ".ckpt"})) {
    return FileRole::kWeights;
  }
  if (name.ends_with(".jinja") || name.starts_with("chat_template")) return FileRole::kTemplate;
  if (name.starts_with("tokenizer") || name.starts_with("vocab.") || name == "merges.txt" ||
      name == "special_tokens_map.json" || name == "added_tokens.json") {
    return FileRole::kTokenizer;
  }
  if (ends_with_any(name, {".json", ".yaml", ".toml"})) return FileRole::kConfiguration;
  if (ends_with_any(name, {".md", ".txt"}) || name.starts_with("LICENSE") ||
      name.starts_with("README")) {
    return FileRole::kDocumentation;
  }
  return FileRole::kOther;
}

Result<Digest> hash_file(const fs::path& file) {
  const auto files = TRY(list_model(file, {}));
  if (files.size() != 1 || files.front().path != ".") {
    return fail(Code::kInvalidArgument, file.string() + " is not one file");
  }
  const std::array<Piece, 1> whole{{{.path = ".", .start = 0, .end = files.front().bytes}}};
  const auto digests = TRY(hash_pieces(file, whole, 1));
  return digests.front();
}

Result<Passport> measure_model(const fs::path& model, const std::vector<std::string>& ignored) {
  const auto files = TRY(list_model(model, ignored));
  if (files.empty()) return fail(Code::kNotFound, model.string() + " holds no file");
  std::vector<Piece> pieces;  // first the whole ones, which take longest
  for (const ModelFile& file : files) {
    if (needs_whole(file)) pieces.push_back({.path = file.path, .start = 0, .end = file.bytes});
  }
  for (const ModelFile& file : files) {
    for (Piece& piece : shards_of(file)) pieces.push_back(std::move(piece));
  }
  const auto digests = TRY(hash_pieces(model, pieces));
  Passport out;
  out.name = model_name(model);
  std::size_t whole = 0;
  std::size_t at = static_cast<std::size_t>(std::ranges::count_if(files, needs_whole));
  for (const ModelFile& file : files) {
    PassportFile entry{.name = name_of(model, file)};
    entry.role = role_by_name(entry.name);
    entry.bytes = file.bytes;
    const std::size_t shards = (file.bytes + kShardBytes - 1) / kShardBytes;
    entry.shards.assign(digests.begin() + static_cast<std::ptrdiff_t>(at),
                        digests.begin() + static_cast<std::ptrdiff_t>(at + shards));
    at += shards;
    entry.sha256 = needs_whole(file)      ? digests[whole++]
                   : entry.shards.empty() ? crypto::sha256(ByteView())
                                          : entry.shards.front();
    if (entry.role == FileRole::kAdapter) {
      out.adapters.push_back({.name = entry.name, .sha256 = entry.sha256});
    }
    out.files.push_back(std::move(entry));
  }
  std::ranges::sort(out.files, {}, &PassportFile::name);
  TRY(fill_metadata(model, files, out));
  return out;
}

Result<void> check_files(const fs::path& model, const Passport& passport, Depth depth,
                         const std::vector<std::string>& ignored) {
  const auto files = TRY(list_model(model, ignored));
  const bool one_file = files.size() == 1 && files.front().path == ".";
  std::vector<std::string> missing, changed, added;
  struct Wanted {
    const PassportFile* file;
    Digest digest;
  };
  std::vector<Wanted> wanted;
  std::vector<Piece> pieces;
  for (const PassportFile& file : passport.files) {
    // A model that is one file may have any name on disk.
    const auto found = one_file && passport.files.size() == 1
                           ? files.begin()
                           : std::ranges::find(files, file.name, &ModelFile::path);
    if (found == files.end()) {
      missing.push_back(file.name);
      continue;
    }
    if (found->bytes != file.bytes) {
      changed.push_back(file.name);
      continue;
    }
    if (depth == Depth::kWhole && needs_whole(*found)) {
      pieces.push_back({.path = found->path, .start = 0, .end = found->bytes});
      wanted.push_back({.file = &file, .digest = file.sha256});
    }
    std::size_t shard = 0;
    for (Piece& piece : shards_of(*found)) {
      pieces.push_back(std::move(piece));
      wanted.push_back({.file = &file, .digest = file.shards[shard++]});
    }
    const Digest& small = file.shards.empty() ? crypto::sha256(ByteView()) : file.shards.front();
    if (!needs_whole(*found) && file.sha256 != small) changed.push_back(file.name);
  }
  if (!one_file) {
    for (const ModelFile& file : files) {
      if (std::ranges::find(passport.files, file.path, &PassportFile::name) ==
          passport.files.end()) {
        added.push_back(file.path);
      }
    }
  }
  const auto digests = TRY(hash_pieces(model, pieces));
  for (std::size_t i = 0; i < digests.size(); ++i) {
    if (digests[i] != wanted[i].digest &&
        std::ranges::find(changed, wanted[i].file->name) == changed.end()) {
      changed.push_back(wanted[i].file->name);
    }
  }
  std::string what;
  name_some(what, "other bytes than the passport's", changed);
  name_some(what, "missing", missing);
  name_some(what, "there but not in the passport", added);
  if (!what.empty()) return fail(Code::kDataLoss, std::move(what));
  Passport now;
  now.files = passport.files;
  TRY(fill_metadata(model, files, now));
  if (now.tokenizer != passport.tokenizer || now.chat_template != passport.chat_template) {
    return fail(Code::kDataLoss,
                "the passport's tokenizer or template is not that of these very files");
  }
  return {};
}

}  // namespace candor::passport
