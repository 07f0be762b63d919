#include "models/model_store.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <thread>

#include <fmt/format.h>

#include "base/text.h"

namespace candor::models {
namespace {

constexpr std::string_view kBlobPrefix = "sha256-";
constexpr std::string_view kManifestEnd = ".json";
constexpr std::string_view kQuarantinedEnd = "@manifest.json";
constexpr std::string_view kPlanEnd = "@plan.json";
constexpr auto kLockWait = std::chrono::seconds(10);
constexpr auto kLockPoll = std::chrono::milliseconds(20);

Result<Manifest> parse_stored(FileSystem& files, const Path& path) {
  const Bytes bytes = TRY(read_file(files, path, kMaxManifestBytes));
  auto manifest = manifest_from_json(as_text(bytes));
  if (manifest) return manifest;
  return fail(Code::kDataLoss,
              fmt::format("{} does not read ({}); what it named can be pulled again", path.native(),
                          manifest.error().message()));
}

bool is_short_digest(std::string_view text) {
  return text.size() >= 8 && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace

Result<ModelStore> ModelStore::open(FileSystem& files, const Path& folder) {
  ModelStore store(files, folder);
  for (const Path& one : {store.blobs(), store.manifests(), store.quarantine()}) {
    if (TRY(files.exists(one))) continue;
    TRY(files.make_folders(one));
    TRY(files.sync_folder(folder));
    TRY(files.sync_folder(folder.parent_path()));
  }
  return store;
}

Path ModelStore::blob(const Digest& sha256) const {
  return blobs() / (std::string(kBlobPrefix) + to_hex(sha256));
}

Path ModelStore::manifest_path(std::string_view name) const {
  return manifests() / (std::string(name) + std::string(kManifestEnd));
}

Result<std::optional<Manifest>> ModelStore::read_manifest(std::string_view name) const {
  auto manifest = parse_stored(*files_, manifest_path(name));
  if (manifest) return *std::move(manifest);
  if (manifest.error().code() == Code::kNotFound) return std::nullopt;
  return std::unexpected(manifest.error());
}

Result<std::vector<NamedModel>> ModelStore::list() const {
  std::vector<NamedModel> out;
  for (const std::string& file : TRY(files_->list(manifests()))) {
    const std::string_view name =
        std::string_view(file).substr(0, file.size() - std::min(file.size(), kManifestEnd.size()));
    if (!file.ends_with(kManifestEnd) || !is_name(name)) continue;  // a write that was cut off
    out.push_back({std::string(name), TRY(parse_stored(*files_, manifests() / file))});
  }
  return out;
}

Result<std::vector<QuarantinedModel>> ModelStore::quarantined() const {
  std::vector<QuarantinedModel> out;
  std::set<std::string> names;
  for (const std::string& file : TRY(files_->list(quarantine()))) {
    for (const std::string_view end : {kQuarantinedEnd, kPlanEnd}) {
      if (file.ends_with(end)) names.insert(file.substr(0, file.size() - end.size()));
    }
  }
  for (const std::string& name : names) {
    if (!is_name(name)) continue;
    QuarantinedModel one{.name = name};
    const auto text =
        read_file(*files_, quarantine() / (name + std::string(kPlanEnd)), kMaxManifestBytes);
    if (text) {
      if (const auto plan = plan_from_json(as_text(*text))) {
        one.reference = plan->source.reference;
        one.bytes_wanted = 0;
        for (const PlannedFile& file : plan->files) {
          if (!file.size) one.bytes_wanted.reset();
          if (one.bytes_wanted && file.size) *one.bytes_wanted += *file.size;
        }
        for (std::size_t i = 0; i < plan->files.size(); ++i) {
          const std::string label = plan->inside.empty() ? part_label(i) : std::string(kWheelPart);
          const auto ranges = read_file(
              *files_, quarantine() / fmt::format("{}@{}.ranges", name, label), kMaxManifestBytes);
          if (!ranges) continue;
          if (const auto fetched = fetched_from_json(as_text(*ranges))) {
            one.bytes_there += fetched->ranges.bytes();
          }
        }
      }
    }
    auto manifest = parse_stored(*files_, quarantine() / (name + std::string(kQuarantinedEnd)));
    if (manifest) {
      one.reference = manifest->source.reference;
      one.bytes_there = manifest->total_bytes();
      one.bytes_wanted = one.bytes_there;
      one.manifest = *std::move(manifest);
    }
    out.push_back(std::move(one));
  }
  return out;
}

Result<NamedModel> ModelStore::find(std::string_view name_or_digest) const {
  if (is_name(name_or_digest)) {
    if (auto manifest = TRY(read_manifest(name_or_digest))) {
      return NamedModel{std::string(name_or_digest), *std::move(manifest)};
    }
  }
  const std::vector<NamedModel> all = TRY(list());
  const NamedModel* found = nullptr;
  for (const NamedModel& model : all) {
    if (!is_short_digest(name_or_digest) ||
        !to_hex(model.manifest.digest()).starts_with(name_or_digest)) {
      continue;
    }
    if (found != nullptr && found->manifest.digest() != model.manifest.digest()) {
      return fail(Code::kInvalidArgument,
                  "more than one model's digest begins so: give more of it");
    }
    found = &model;
  }
  if (found != nullptr) return *found;
  for (const QuarantinedModel& waiting : TRY(quarantined())) {
    if (waiting.name != name_or_digest) continue;
    return fail(Code::kNotFound,
                fmt::format("{} is in quarantine, not in the store; {}", waiting.name,
                            waiting.manifest ? "run 'candor model admit " + waiting.name + "'"
                                             : "run the same 'candor model pull' again to go on"));
  }
  std::vector<std::string_view> names;
  for (const NamedModel& model : all) names.push_back(model.name);
  const std::string_view near = nearest_name(name_or_digest, names);
  return fail(Code::kNotFound,
              fmt::format("no model '{}' in the store{}; 'candor model list' shows what is there",
                          strip_controls(name_or_digest.substr(0, 128)),
                          near.empty() ? "" : fmt::format(" (did you mean {}?)", near)));
}

Result<QuarantineEntry> ModelStore::enter_quarantine(const std::string& name) const {
  return QuarantineEntry::lock(*files_, quarantine(), name);
}

Result<std::unique_ptr<FileLock>> ModelStore::lock() const {
  const auto until = std::chrono::steady_clock::now() + kLockWait;
  while (true) {
    auto lock = files_->lock(folder_ / "lock");
    if (lock || lock.error().code() != Code::kFailedPrecondition ||
        std::chrono::steady_clock::now() >= until) {
      return lock;
    }
    std::this_thread::sleep_for(kLockPoll);
  }
}

Result<void> ModelStore::check_file(const Path& path, const StoredFile& file,
                                    const Advance& advance) const {
  const auto opened = TRY(files_->open(path, OpenMode::kRead));
  const FileDigests is = TRY(digest_file(*opened, GitId::kNo, advance));
  if (is.sha256 == file.sha256 && is.size == file.size) return {};
  return fail(
      Code::kDataLoss,
      fmt::format("{} should have SHA-256 {} and has {}: the file was changed or is damaged",
                  file.path, to_hex(file.sha256), to_hex(is.sha256)));
}

// Where a file of a quarantined model lies: in quarantine, or in the store already, since another
// model has it or an earlier admission was cut off.
Result<Path> ModelStore::place_of(const QuarantineEntry& entry, std::size_t index,
                                  const StoredFile& file) const {
  const Path part = entry.part_path(part_label(index));
  if (TRY(files_->exists(part))) return part;
  const Path stored = blob(file.sha256);
  if (TRY(files_->exists(stored))) return stored;
  return fail(
      Code::kFailedPrecondition,
      fmt::format("the bytes of {} are gone from quarantine; pull the model again", file.path));
}

Result<Manifest> ModelStore::judge(const QuarantineEntry& entry, Manifest manifest,
                                   const AdmitOptions& options) const {
  for (std::size_t i = 0; i < manifest.files.size(); ++i) {
    const StoredFile& file = manifest.files[i];
    const Path place = TRY(place_of(entry, i, file));
    TRY(check_file(place, file, options.advance));
    Judgement judged = TRY(options.gate(place, file, manifest));
    if (manifest.gate.by.empty()) manifest.gate.by = judged.by;
    if (manifest.gate.architecture.empty()) manifest.gate.architecture = judged.architecture;
    if (manifest.gate.licence.empty()) manifest.gate.licence = judged.licence;
  }
  if (manifest.gate.by.empty()) return fail(Code::kInternal, "no gate judged this model");
  if (options.agree) TRY(options.agree(manifest));
  return manifest;
}

Result<Manifest> ModelStore::admit(const std::string& name, const AdmitOptions& options,
                                   Clock& clock) const {
  QuarantineEntry entry = TRY(enter_quarantine(name));
  auto waiting = TRY(entry.manifest());
  if (!waiting) {
    if (TRY(entry.plan())) {
      return fail(Code::kFailedPrecondition,
                  name + " is not all there yet; run the same 'candor model pull' again to go on");
    }
    if (TRY(files_->exists(manifest_path(name)))) {
      return fail(Code::kFailedPrecondition, name + " is admitted already");
    }
    return fail(
        Code::kNotFound,
        fmt::format("no model '{}' in quarantine; 'candor model list' shows what is there", name));
  }
  const std::string as = options.as.empty() ? name : options.as;
  if (!is_name(as)) return fail(Code::kInvalidArgument, "--as takes a model's name");
  const auto check_free = [&]() -> Result<void> {
    const auto holder = TRY(read_manifest(as));
    if (!holder || options.replace || holder->digest() == waiting->digest()) return {};
    return fail(Code::kFailedPrecondition,
                fmt::format("another model has the name {}; use --as NAME, or --replace", as));
  };
  TRY(check_free());
  Manifest manifest = TRY(judge(entry, *waiting, options));
  manifest.admitted_us = clock.wall_us();

  const auto held = TRY(lock());
  TRY(check_free());
  for (std::size_t i = 0; i < manifest.files.size(); ++i) {
    const Path part = entry.part_path(part_label(i));
    const Path stored = blob(manifest.files[i].sha256);
    if (!TRY(files_->exists(part))) continue;
    // Over one of the same name too: these bytes have just been hashed, those have not.
    TRY(files_->make_read_only(part));
    TRY(files_->rename(part, stored));
  }
  TRY(files_->sync_folder(blobs()));
  const std::string text = TRY(to_json(manifest));
  TRY(write_file_atomically(*files_, manifest_path(as), as_bytes(text)));
  TRY(entry.discard());
  return manifest;
}

Result<void> ModelStore::verify(const Manifest& manifest, const Advance& advance) const {
  for (const StoredFile& file : manifest.files) {
    const auto checked = check_file(blob(file.sha256), file, advance);
    if (checked) continue;
    if (checked.error().code() != Code::kNotFound) return checked;
    return fail(Code::kDataLoss, file.path + " is gone from the store; pull the model again");
  }
  return {};
}

Result<ModelStore::Removed> ModelStore::remove(const std::string& name) const {
  if (!is_name(name)) return fail(Code::kInvalidArgument, "this is no model's name");
  {
    const auto held = TRY(lock());
    if (TRY(files_->exists(manifest_path(name)))) {
      TRY(files_->remove(manifest_path(name)));
      TRY(files_->sync_folder(manifests()));
      return Removed::kAdmitted;
    }
  }
  for (const QuarantinedModel& waiting : TRY(quarantined())) {
    if (waiting.name != name) continue;
    QuarantineEntry entry = TRY(enter_quarantine(name));
    TRY(entry.discard());
    return Removed::kQuarantined;
  }
  return std::unexpected(find(name).error());
}

Result<Collected> ModelStore::collect() const {
  const auto held = TRY(lock());
  std::set<std::string> named;
  const auto name_all = [&](const Manifest& manifest) {
    for (const StoredFile& file : manifest.files) {
      named.insert(std::string(kBlobPrefix) + to_hex(file.sha256));
    }
  };
  for (const NamedModel& model : TRY(list())) name_all(model.manifest);
  std::set<std::string> waiting;
  for (const QuarantinedModel& model : TRY(quarantined())) {
    waiting.insert(model.name);
    if (model.manifest) name_all(*model.manifest);
  }
  Collected out;
  const auto take = [&](const Path& path) -> Result<void> {
    {
      const auto file = files_->open(path, OpenMode::kRead);
      if (file) out.bytes += TRY((*file)->size());
    }
    TRY(files_->remove(path));
    ++out.files;
    return {};
  };
  for (const std::string& file : TRY(files_->list(blobs()))) {
    if (!named.contains(file)) TRY(take(blobs() / file));
  }
  for (const std::string& file : TRY(files_->list(manifests()))) {
    if (file.ends_with(".tmp")) TRY(take(manifests() / file));
  }
  // Parts of an entry that has neither plan nor manifest: nothing will ever go on with them.
  for (const std::string& file : TRY(files_->list(quarantine()))) {
    const std::string name = file.substr(0, file.find('@'));
    if (waiting.contains(name) || file.ends_with("@lock")) continue;
    const auto entry = enter_quarantine(name);
    if (entry) TRY(take(quarantine() / file));
  }
  for (const Path& folder : {blobs(), manifests(), quarantine()}) TRY(files_->sync_folder(folder));
  return out;
}

}  // namespace candor::models
