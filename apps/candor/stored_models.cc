// How a configuration's "store:NAME" becomes a file.
#include <fmt/format.h>

#include "context.h"
#include "models/model_store.h"

namespace candor::cli {
namespace {

Result<models::NamedModel> stored(const models::ModelStore& store, const Path& written) {
  const std::string name = written.native().substr(config::kStorePrefix.size());
  models::NamedModel found = TRY(store.find(name));
  const models::Manifest& manifest = found.manifest;
  if (manifest.format != models::Format::kGguf || manifest.files.size() != 1) {
    return fail(
        Code::kFailedPrecondition,
        fmt::format("{} is {}, and the engine serves one GGUF file", name,
                    manifest.files.size() == 1 ? std::string(models::to_string(manifest.format))
                                               : fmt::format("{} files", manifest.files.size())));
  }
  return found;
}

}  // namespace

Result<config::Config> read_served_config(const GlobalOptions& options) {
  config::Config config = TRY(read_config(options));
  std::optional<models::ModelStore> store;
  const auto look_up = [&](Path& path) -> Result<std::optional<Digest>> {
    if (!path.native().starts_with(config::kStorePrefix)) return std::nullopt;
    if (!store) {
      store = TRY(models::ModelStore::open(real_file_system(), config.data_dir / "models"));
    }
    const models::NamedModel found = TRY(stored(*store, path));
    path = store->blob(found.manifest.files.front().sha256);
    return found.manifest.files.front().sha256;
  };
  for (config::Model& model : config.models) {
    const auto wrong = [&](const Error& error) {
      return fail(error.code() == Code::kNotFound ? Code::kFailedPrecondition : error.code(),
                  fmt::format("{}: model {}: {}", model.origin, model.name, error.message()));
    };
    const auto digest = look_up(model.path);
    if (!digest) return wrong(digest.error());
    if (*digest && !model.sha256) model.sha256 = **digest;
    for (Path& adapter : model.adapters) {
      if (const auto one = look_up(adapter); !one) return wrong(one.error());
    }
  }
  return config;
}

}  // namespace candor::cli
