// One model on its way into the store: what is to be fetched, the bytes that are there, and at last
// its manifest (docs/formats/model-store.md). An entry is locked while this object lives.
//
// Errors: those of the file system; kFailedPrecondition (locked: names the other process; or not
// in this state), kDataLoss (bytes that are not what was published, or a document of ours that does
// not read). One thread.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/file_system.h"
#include "models/hashing.h"
#include "models/manifest.h"
#include "models/plan.h"

namespace candor::models {

class QuarantineEntry;

// A file being written. What write() took is durable, and counted in fetched(), after checkpoint().
class Part {
 public:
  [[nodiscard]] const Fetched& fetched() const noexcept { return written_; }
  [[nodiscard]] bool complete() const noexcept {
    return sized_ && written_.ranges.bytes() == written_.size;
  }
  // Whose bytes these are. Another size or another strong ETag than of those there: begins anew.
  [[nodiscard]] Result<void> expect(std::uint64_t size, std::string etag);
  [[nodiscard]] Result<void> write(std::uint64_t offset, ByteView data);
  [[nodiscard]] Result<void> checkpoint();
  [[nodiscard]] Result<void> restart();
  [[nodiscard]] File& file() noexcept { return *file_; }

 private:
  friend class QuarantineEntry;
  Part(FileSystem& files, Path path) : files_(&files), path_(std::move(path)) {}
  FileSystem* files_;
  Path path_;
  std::unique_ptr<File> file_;
  Fetched written_;
  bool sized_ = false, dirty_ = false;
};

inline constexpr std::string_view kWheelPart = "wheel";
[[nodiscard]] std::string part_label(std::size_t index);  // "0000"

class QuarantineEntry {
 public:
  // folder: models/quarantine, which must exist. kInvalidArgument: no name.
  [[nodiscard]] static Result<QuarantineEntry> lock(FileSystem& files, const Path& folder,
                                                    const std::string& name);

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] Result<std::optional<Plan>> plan();
  [[nodiscard]] Result<std::optional<Manifest>> manifest();
  // Keeps what is there if it is the plan there is; else throws that away.
  [[nodiscard]] Result<void> set_plan(const Plan& plan);
  [[nodiscard]] Result<Part> part(std::string_view label);
  [[nodiscard]] Path part_path(std::string_view label) const;
  // All parts of the plan are complete: hashes them, holds them against what was published, and
  // writes the manifest. A part that is not as published is thrown away (kDataLoss).
  [[nodiscard]] Result<Manifest> finish(std::int64_t now_us, const Advance& advance);
  // The manifest for parts that were written otherwise (an imported bundle).
  [[nodiscard]] Result<void> put_manifest(const Manifest& manifest);
  // Throws all of it away; the manifest last, as a half-removed model is admitted by nobody else.
  [[nodiscard]] Result<void> discard();

 private:
  QuarantineEntry(FileSystem& files, Path folder, std::string name, std::unique_ptr<FileLock> lock)
      : files_(&files),
        folder_(std::move(folder)),
        name_(std::move(name)),
        lock_(std::move(lock)) {}
  [[nodiscard]] Path document(std::string_view what) const;
  [[nodiscard]] Result<StoredFile> check_part(const PlannedFile& file, std::string_view label,
                                              const Advance& advance);
  [[nodiscard]] Result<void> drop(std::string_view label);

  FileSystem* files_;
  Path folder_;
  std::string name_;
  std::unique_ptr<FileLock> lock_;
};

}  // namespace candor::models
