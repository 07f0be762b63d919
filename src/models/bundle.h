// A model as one file for machines without a network (docs/formats/model-store.md, Bundle): an
// ordinary tar with the manifest first. The reader takes exactly what the writer writes.
//
// Errors: kInvalidArgument (no such bundle: says what stands where), kDataLoss (bytes that are not
// what their name says), and the store's. Hostile input: nothing becomes a path, nothing is kept of
// a bundle that is refused.
#pragma once

#include "models/model_store.h"

namespace candor::models {

// The folder of `out` must exist; out must not.
[[nodiscard]] Result<void> export_bundle(const ModelStore& store, const Manifest& manifest,
                                         const Path& out, const Advance& advance);
// Into quarantine under `name`, which must be free there.
[[nodiscard]] Result<Manifest> import_bundle(const ModelStore& store, const std::string& name,
                                             const Path& bundle, const Advance& advance);

// The manifest, and where each distinct file lies, of a bundle whose frame is right; the bytes are
// not looked at.
struct BundleFile {
  Digest sha256{};
  std::uint64_t offset = 0, size = 0;
};
struct BundleFrame {
  Manifest manifest = {};
  std::vector<BundleFile> files = {};
};
[[nodiscard]] Result<BundleFrame> read_bundle(File& bundle);

}  // namespace candor::models
