// candor model fingerprint|lineage|compare. No configuration and no server: files only.
#include <chrono>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_system.h"
#include "lineage/compare.h"
#include "model/descriptor_source.h"
#include "verbs/lineage_file.h"
#include "verbs/verbs.h"

namespace candor::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxFingerprint = 1U << 20U;

// Owns the descriptor that its source reads.
class ModelFile {
 public:
  static Result<ModelFile> open(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return fail(Code::kNotFound, path + " cannot be opened");
    struct stat facts{};
    if (fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode)) {
      close(fd);
      return fail(Code::kInvalidArgument, path + " is not a regular file");
    }
    return ModelFile(fd, static_cast<std::uint64_t>(facts.st_size));
  }
  ModelFile(ModelFile&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), source_(other.source_) {}
  ModelFile(const ModelFile&) = delete;
  ModelFile& operator=(const ModelFile&) = delete;
  ModelFile& operator=(ModelFile&&) = delete;
  ~ModelFile() {
    if (fd_ >= 0) close(fd_);
  }
  [[nodiscard]] model::ByteSource& source() noexcept { return source_; }

 private:
  ModelFile(int fd, std::uint64_t size) : fd_(fd), source_(fd, size) {}
  int fd_;
  model::DescriptorSource source_;
};

struct Measured {
  lineage::Fingerprint print;
  std::uint64_t bytes_read = 0, file_bytes = 0;
  double seconds = 0;
};

double since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

Result<Measured> measure(const std::string& path, const std::string& name) {
  const auto begin = std::chrono::steady_clock::now();
  ModelFile opened = TRY(ModelFile::open(path));
  lineage::TensorFile file = TRY(lineage::TensorFile::open(opened.source()));
  Measured out;
  out.print = TRY(lineage::fingerprint(file, name));
  out.bytes_read = file.bytes_read();
  out.file_bytes = opened.source().size();
  out.seconds = since(begin);
  return out;
}

}  // namespace

Result<lineage::Index> read_index(const std::string& folder) {
  lineage::Index index;
  const auto names = TRY(real_file_system().list(folder));
  for (const std::string& name : names) {
    if (!name.ends_with(".fingerprint")) continue;
    const Bytes bytes =
        TRY(read_file(real_file_system(), fs::path(folder) / name, kMaxFingerprint));
    auto print = lineage::parse_fingerprint(bytes);
    if (!print) return std::unexpected(std::move(print).error().with_context(name));
    index.add(*std::move(print));
  }
  if (index.size() == 0) {
    return fail(Code::kNotFound,
                folder + " holds no .fingerprint; candor model fingerprint makes one");
  }
  return index;
}

std::string default_index() {
  for (const fs::path& folder :
       {program_folder() / "fingerprints",
        program_folder().parent_path().parent_path() / "packs" / "fingerprints"}) {
    if (fs::is_directory(folder)) return folder.string();
  }
  return (program_folder() / "fingerprints").string();
}

Result<lineage::Fingerprint> fingerprint_of(const std::string& path) {
  Measured measured = TRY(measure(path, ""));
  return std::move(measured.print);
}

namespace {

json::Object relation_json(const lineage::Relation& relation) {
  json::Object out;
  out["blocks"] = lineage::to_string(relation.blocks);
  out["embedding"] = lineage::to_string(relation.embedding);
  out["reason"] = relation.reason;
  out["block_cosine"] = relation.block_cosine;
  out["embedding_cosine"] = relation.embedding_cosine;
  out["embedding_gram_cosine"] = relation.gram_cosine;
  if (relation.norms_known) out["norm_correlation"] = relation.norm_correlation;
  out["z"] = relation.z;
  out["null_max"] = relation.null_max;
  return out;
}

}  // namespace

int run_model_fingerprint(const LineageOptions& options) {
  const Output out({.json = options.json, .raw = options.raw});
  const std::string name =
      options.name.empty() ? fs::path(options.file).stem().string() : options.name;
  const auto measured = measure(options.file, name);
  if (!measured) return report(out, measured.error());
  const Bytes bytes = lineage::serialise(measured->print);
  if (const auto done = write_text_file(options.out, as_text(bytes), 0644); !done) {
    return report(out, done.error());
  }
  if (out.json()) {
    json::Object object;
    object["name"] = name;
    object["layers"] = measured->print.layers.size();
    object["fingerprint_bytes"] = bytes.size();
    object["bytes_read"] = measured->bytes_read;
    object["file_bytes"] = measured->file_bytes;
    object["seconds"] = measured->seconds;
    out.document(object);
  } else {
    out.line(fmt::format("{}: {} layers, {} bytes; {} of {} bytes read in {:.3f} s",
                         out.shown(name), measured->print.layers.size(), bytes.size(),
                         measured->bytes_read, measured->file_bytes, measured->seconds));
  }
  return kExitDone;
}

int run_model_lineage(const LineageOptions& options) {
  const Output out({.json = options.json, .raw = options.raw});
  const auto measured = measure(options.file, "");
  if (!measured) return report(out, measured.error());
  const std::string folder = options.index.empty() ? default_index() : options.index;
  const auto index = read_index(folder);
  if (!index) return report(out, index.error());
  const auto begin = std::chrono::steady_clock::now();
  const auto matches = index->look_up(measured->print);
  const double lookup = since(begin);
  if (out.json()) {
    json::Object object;
    object["references"] = index->size();
    object["seconds"] = measured->seconds;
    object["bytes_read"] = measured->bytes_read;
    object["lookup_seconds"] = lookup;
    json::Array list;
    for (const auto& match : matches) {
      json::Object one = relation_json(match.relation);
      one["reference"] = match.reference->name;
      list.push_back(std::move(one));
    }
    object["matches"] = std::move(list);
    out.document(object);
    return kExitDone;
  }
  if (matches.empty()) {
    out.line(fmt::format("none of {} references has this width ({}): nothing can be said",
                         index->size(), measured->print.width));
    return kExitDone;
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& match : matches) {
    const lineage::Relation& relation = match.relation;
    rows.push_back({out.shown(match.reference->name),
                    std::string(lineage::to_string(relation.blocks)),
                    std::string(lineage::to_string(relation.embedding)),
                    fmt::format("{:.3f}", relation.block_cosine), fmt::format("{:.1f}", relation.z),
                    fmt::format("{:.3f}", relation.embedding_cosine)});
  }
  out.table({"REFERENCE", "BLOCKS", "EMBEDDING", "COSINE", "Z", "EMBEDDING COSINE"}, rows);
  out.line(std::string(matches.front().relation.reason));
  return kExitDone;
}

int run_model_compare(const LineageOptions& options) {
  const Output out({.json = options.json, .raw = options.raw});
  const auto compared = [&]() -> Result<lineage::Comparison> {
    ModelFile left = TRY(ModelFile::open(options.file));
    ModelFile right = TRY(ModelFile::open(options.other));
    lineage::TensorFile a = TRY(lineage::TensorFile::open(left.source()));
    lineage::TensorFile b = TRY(lineage::TensorFile::open(right.source()));
    return lineage::compare(a, b);
  }();
  if (!compared) return report(out, compared.error());
  if (out.json()) {
    json::Object object = relation_json(compared->relation);
    object["change"] = lineage::to_string(compared->change);
    object["difference"] = compared->difference;
    object["explained_by_quantisation"] = compared->explained;
    object["size"] = compared->size;
    object["sees_from"] = compared->sees_from;
    json::Array tensors;
    for (const lineage::TensorChange& one : compared->tensors) {
      json::Object tensor;
      tensor["name"] = out.shown(one.name);
      tensor["types"] = json::Array{one.type_a.c_str(), one.type_b.c_str()};
      tensor["difference"] = one.difference;
      tensor["explained"] = one.explained;
      tensor["cosine"] = one.cosine;
      tensors.push_back(std::move(tensor));
    }
    object["tensors"] = std::move(tensors);
    object["only_a"] = compared->only_a.size();
    object["only_b"] = compared->only_b.size();
    out.document(object);
    return kExitDone;
  }
  out.line(std::string(lineage::to_string(compared->change)));
  out.line(
      fmt::format("  difference {:.4f} of the weights, {:.4f} explained by quantisation, "
                  "change {:.4f}; smaller than {:.4f} is not seen",
                  compared->difference, compared->explained, compared->size, compared->sees_from));
  out.line(fmt::format(
      "  blocks {} (cosine {:.3f}), embedding {} (cosine {:.3f})",
      lineage::to_string(compared->relation.blocks), compared->relation.block_cosine,
      lineage::to_string(compared->relation.embedding), compared->relation.embedding_cosine));
  out.line(
      fmt::format("  tensors: {} compared, {} only in the first, {} only in the second, {} of "
                  "another shape",
                  compared->tensors.size(), compared->only_a.size(), compared->only_b.size(),
                  compared->reshaped.size()));
  if (compared->change == lineage::Change::kUpdated) {
    out.line("  fine-tune, adapter, merge of relatives and removed direction are not told apart");
  }
  return kExitDone;
}

}  // namespace candor::cli
