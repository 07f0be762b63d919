// What the verbs of the store share.
#pragma once

#include <cstdint>
#include <string>

#include "context.h"
#include "models/model_store.h"

namespace candor::cli {

[[nodiscard]] Result<models::ModelStore> open_store(const Context& context);
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);  // "91.7 MB"
[[nodiscard]] json::Object manifest_json(const models::NamedModel& model);
// Admits and says so; answers the exit code.
[[nodiscard]] int admit_model(const Context& context, const models::ModelStore& store,
                              const std::string& name, const std::string& as, bool replace,
                              const std::vector<std::string>& accepted);
// The store's part of `candor model list`: models there and in quarantine. Empty if there is no
// store yet.
struct StoreList {
  json::Array models;
  std::vector<std::vector<std::string>> rows;
};
[[nodiscard]] Result<StoreList> list_store(const Context& context);

}  // namespace candor::cli
