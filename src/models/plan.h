// What a pull is to fetch (candor.pull/1) and which bytes of a file are there already
// (candor.pull-ranges/1): docs/formats/model-store.md. Pure; parsers are safe on hostile input.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "models/manifest.h"

namespace candor::models {

struct PlannedFile {
  std::string path = {};                   // within the model
  std::string url = {};                    // or an absolute path, for file:
  std::optional<std::uint64_t> size = {};  // as published
  std::optional<Digest> sha256 = {};       // as published, or as given
  std::string git_sha1 = {};               // git's blob id, 40 hex digits; empty: none
  bool operator==(const PlannedFile&) const = default;
};

struct Plan {
  Source source = {};
  std::optional<Digest> given = {};  // the model's digest as who pulls it named it
  std::string inside = {};           // of a wheel: the file in it that is the model
  std::vector<PlannedFile> files = {};
  bool operator==(const Plan&) const = default;
};
[[nodiscard]] Result<std::string> to_json(const Plan& plan);
[[nodiscard]] Result<Plan> plan_from_json(std::string_view text);

// Half-open ranges of a file, sorted, disjoint, merged where they touch.
class Ranges {
 public:
  struct Range {
    std::uint64_t begin = 0, end = 0;
    bool operator==(const Range&) const = default;
  };
  void add(std::uint64_t begin, std::uint64_t end);
  // The first bytes missing below size, at most `most` of them, that `taken` does not hold either.
  [[nodiscard]] std::optional<Range> missing(std::uint64_t size, std::uint64_t most,
                                             const std::vector<Range>& taken = {}) const;
  [[nodiscard]] std::uint64_t bytes() const noexcept;
  [[nodiscard]] const std::vector<Range>& all() const noexcept { return ranges_; }
  bool operator==(const Ranges&) const = default;

 private:
  std::vector<Range> ranges_;
};

struct Fetched {
  std::string etag = {};  // strong, as the server said it; empty: none
  std::uint64_t size = 0;
  Ranges ranges = {};
  bool operator==(const Fetched&) const = default;
};
[[nodiscard]] Result<std::string> to_json(const Fetched& fetched);
[[nodiscard]] Result<Fetched> fetched_from_json(std::string_view text);

}  // namespace candor::models
