// The content-addressed store of models (docs/formats/model-store.md): files by SHA-256, read-only,
// and a manifest for each name. What is fetched lies in quarantine (models/quarantine.h) until
// admit() has hashed it again, the gate has judged each file, and the caller agrees.
//
// Any number of processes; changes take models/lock and wait for it. Everything is written so that
// a crash at any point leaves a model in quarantine or admitted, whole. Errors: those of the file
// system; kInvalidArgument (no name), kNotFound (no such model: names the nearest),
// kFailedPrecondition (not in this state; says the command that helps), kDataLoss (bytes that are
// not what their name says), and the gate's. Thread-safe as far as its FileSystem is.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "models/hashing.h"
#include "models/manifest.h"
#include "models/quarantine.h"

namespace candor::models {

struct NamedModel {
  std::string name = {};
  Manifest manifest = {};
};

struct QuarantinedModel {
  std::string name = {};
  std::optional<Manifest> manifest = {};  // unset: not all of it is there
  std::string reference = {};
  std::uint64_t bytes_there = 0;
  std::optional<std::uint64_t> bytes_wanted = {};  // unset: the publisher did not say
};

// Judges one file of a model before it is admitted: opens `file` and reads it in a sandbox. The
// error is what is shown; kPermissionDenied and kFailedPrecondition are verdicts.
using Gate = std::function<Result<Judgement>(const Path& file, const StoredFile& facts,
                                             const Manifest& manifest)>;
// Whether the house takes this model (allow-lists, revocations). An error refuses, and says why.
using Agreement = std::function<Result<void>(const Manifest& manifest)>;

struct AdmitOptions {
  Gate gate = {};
  Agreement agree = {};
  std::string as = {};   // another name in the store; empty: the same
  bool replace = false;  // a model that has the name
  Advance advance = {};  // bytes hashed
};

struct Collected {
  std::uint64_t files = 0, bytes = 0;
};

class ModelStore {
 public:
  // Makes the folders. folder: models/ of the data folder.
  [[nodiscard]] static Result<ModelStore> open(FileSystem& files, const Path& folder);

  [[nodiscard]] Result<std::vector<NamedModel>> list() const;
  [[nodiscard]] Result<std::vector<QuarantinedModel>> quarantined() const;
  // By name, or by at least 8 hex digits of a digest that only one has.
  [[nodiscard]] Result<NamedModel> find(std::string_view name_or_digest) const;
  [[nodiscard]] Path blob(const Digest& sha256) const;

  [[nodiscard]] Result<QuarantineEntry> enter_quarantine(const std::string& name) const;
  [[nodiscard]] Result<Manifest> admit(const std::string& name, const AdmitOptions& options,
                                       Clock& clock) const;
  // Hashes every file. kDataLoss names the first that is not what it should be.
  [[nodiscard]] Result<void> verify(const Manifest& manifest, const Advance& advance) const;
  // The manifest of an admitted model, or everything of one in quarantine; which it was.
  enum class Removed : std::uint8_t { kAdmitted, kQuarantined };
  [[nodiscard]] Result<Removed> remove(const std::string& name) const;
  // Files that no manifest names, and what writes that were cut off left behind.
  [[nodiscard]] Result<Collected> collect() const;

  // Waits for the lock of the store's changes, at most ten seconds.
  [[nodiscard]] Result<std::unique_ptr<FileLock>> lock() const;
  [[nodiscard]] FileSystem& files() const noexcept { return *files_; }
  [[nodiscard]] const Path& folder() const noexcept { return folder_; }
  [[nodiscard]] Path quarantine() const { return folder_ / "quarantine"; }

 private:
  ModelStore(FileSystem& files, Path folder) : files_(&files), folder_(std::move(folder)) {}
  [[nodiscard]] Path blobs() const { return folder_ / "blobs"; }
  [[nodiscard]] Path manifests() const { return folder_ / "manifests"; }
  [[nodiscard]] Path manifest_path(std::string_view name) const;
  [[nodiscard]] Result<std::optional<Manifest>> read_manifest(std::string_view name) const;
  [[nodiscard]] Result<Path> place_of(const QuarantineEntry& entry, std::size_t index,
                                      const StoredFile& file) const;
  [[nodiscard]] Result<void> check_file(const Path& path, const StoredFile& file,
                                        const Advance& advance) const;
  [[nodiscard]] Result<Manifest> judge(const QuarantineEntry& entry, Manifest manifest,
                                       const AdmitOptions& options) const;

  FileSystem* files_;
  Path folder_;
};

}  // namespace candor::models
