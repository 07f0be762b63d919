// Every dialect of this build. A new one adds its files, two lines here and one in dialect.cc and
// saved.cc.
#pragma once

#include <memory>

#include "dialect/dialect.h"
#include "dialect/saved.h"
#include "json/json.h"

namespace candor::dialect {

[[nodiscard]] const Dialect& openai_dialect() noexcept;
[[nodiscard]] const Dialect& anthropic_dialect() noexcept;
[[nodiscard]] const Dialect& ollama_dialect() noexcept;

// Reads the JSON objects of one saved response, in order: a body, or a stream's events.
class SavedReader {
 public:
  virtual ~SavedReader() = default;
  // False when the object cannot belong to a response of this dialect. Errors of the dialect's own
  // shape are taken and leave the answer incomplete.
  [[nodiscard]] virtual bool add(const json::Object& object) = 0;
  [[nodiscard]] virtual SavedAnswer take() = 0;
};
[[nodiscard]] std::unique_ptr<SavedReader> openai_saved_reader();
[[nodiscard]] std::unique_ptr<SavedReader> anthropic_saved_reader();
[[nodiscard]] std::unique_ptr<SavedReader> responses_saved_reader();
[[nodiscard]] std::unique_ptr<SavedReader> embeddings_saved_reader();
[[nodiscard]] std::unique_ptr<SavedReader> token_count_saved_reader();
[[nodiscard]] std::unique_ptr<SavedReader> ollama_saved_reader();

}  // namespace candor::dialect
