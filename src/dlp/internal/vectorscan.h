// Owner of Vectorscan (Hyperscan's API): the search for all literals at once, and patterns that the
// built-in matcher cannot unroll. Databases are immutable and shared; each thread has a Workspace.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

struct hs_database;
struct hs_scratch;

namespace candor::dlp {

struct DatabaseDeleter {
  void operator()(hs_database* database) const;
};
using DatabasePtr = std::unique_ptr<hs_database, DatabaseDeleter>;

class Workspace {
 public:
  Workspace() = default;
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  ~Workspace();
  void grow_for(const hs_database& database);  // enough for this one too
  [[nodiscard]] hs_scratch* get() const { return scratch_; }

 private:
  hs_scratch* scratch_ = nullptr;
};

struct Literal {
  std::string text;  // 2 bytes or more
  bool ignore_case = false;
  auto operator<=>(const Literal&) const = default;
};

struct LiteralHit {
  std::uint32_t literal = 0;  // index
  std::size_t end = 0;
};

class LiteralSearch {
 public:
  [[nodiscard]] static Result<LiteralSearch> build(const std::vector<Literal>& literals);
  void prepare(Workspace& workspace) const;
  // Appends every occurrence that begins at `from` or later, in order of its end.
  void scan(std::string_view text, const Workspace& workspace, std::vector<LiteralHit>& out,
            std::size_t from = 0) const;

 private:
  DatabasePtr database_;  // null: no literals
};

class Regex {
 public:
  // kInvalidArgument: Vectorscan's reason, or a match that may be empty or longer than max_span.
  [[nodiscard]] static Result<Regex> compile(const std::string& pattern, bool ignore_case,
                                             std::uint32_t max_span);
  void prepare(Workspace& workspace) const;
  // Calls found(begin, end) for every end, with the leftmost begin.
  void scan(std::string_view text, const Workspace& workspace,
            const std::function<void(std::size_t, std::size_t)>& found) const;

 private:
  DatabasePtr database_;
};

}  // namespace candor::dlp
