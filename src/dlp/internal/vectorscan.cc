#include "dlp/internal/vectorscan.h"

#include <fmt/format.h>
#include <hs/hs.h>

#include "base/check.h"

namespace candor::dlp {
namespace {

Error compile_error(hs_compile_error_t* error) {
  Error out(Code::kInvalidArgument, error != nullptr ? error->message : "cannot be compiled");
  hs_free_compile_error(error);
  return out;
}

}  // namespace

void DatabaseDeleter::operator()(hs_database* database) const { hs_free_database(database); }

Workspace::~Workspace() { hs_free_scratch(scratch_); }

void Workspace::grow_for(const hs_database& database) {
  CANDOR_CHECK(hs_alloc_scratch(&database, &scratch_) == HS_SUCCESS);
}

Result<LiteralSearch> LiteralSearch::build(const std::vector<Literal>& literals) {
  LiteralSearch search;
  if (literals.empty()) return search;
  std::vector<const char*> texts;
  std::vector<std::size_t> sizes;
  std::vector<unsigned> flags;
  std::vector<unsigned> ids;
  for (const Literal& literal : literals) {
    texts.push_back(literal.text.data());
    sizes.push_back(literal.text.size());
    flags.push_back(literal.ignore_case ? HS_FLAG_CASELESS : 0);
    ids.push_back(static_cast<unsigned>(ids.size()));
  }
  hs_database_t* database = nullptr;
  hs_compile_error_t* error = nullptr;
  if (hs_compile_lit_multi(texts.data(), flags.data(), ids.data(), sizes.data(),
                           static_cast<unsigned>(texts.size()), HS_MODE_BLOCK, nullptr, &database,
                           &error) != HS_SUCCESS) {
    return std::unexpected(compile_error(error));
  }
  search.database_.reset(database);
  return search;
}

void LiteralSearch::prepare(Workspace& workspace) const {
  if (database_) workspace.grow_for(*database_);
}

void LiteralSearch::scan(std::string_view text, const Workspace& workspace,
                         std::vector<LiteralHit>& out, std::size_t from) const {
  text.remove_prefix(from);
  if (!database_ || text.empty()) return;
  const std::size_t before = out.size();
  const auto on_match = [](unsigned id, unsigned long long, unsigned long long end, unsigned,
                           void* context) {
    static_cast<std::vector<LiteralHit>*>(context)->push_back({id, static_cast<std::size_t>(end)});
    return 0;
  };
  CANDOR_CHECK(hs_scan(database_.get(), text.data(), static_cast<unsigned>(text.size()), 0,
                       workspace.get(), on_match, &out) == HS_SUCCESS);
  for (std::size_t i = before; from > 0 && i < out.size(); ++i) out[i].end += from;
}

Result<Regex> Regex::compile(const std::string& pattern, bool ignore_case, std::uint32_t max_span) {
  const unsigned flags =
      HS_FLAG_SOM_LEFTMOST | (ignore_case ? static_cast<unsigned>(HS_FLAG_CASELESS) : 0U);
  hs_expr_info_t* info = nullptr;
  hs_compile_error_t* error = nullptr;
  if (hs_expression_info(pattern.c_str(), flags, &info, &error) != HS_SUCCESS) {
    return std::unexpected(compile_error(error));
  }
  const auto least = info->min_width;
  const auto most = info->max_width;
  std::free(info);  // NOLINT(cppcoreguidelines-no-malloc): the library allocates it
  if (least == 0) return fail(Code::kInvalidArgument, "it may match nothing");
  if (most > max_span) {
    return fail(Code::kInvalidArgument,
                most == ~0U ? "it has no longest match"
                            : fmt::format("it may match {} bytes, more than max_span", most));
  }
  hs_database_t* database = nullptr;
  if (hs_compile(pattern.c_str(), flags, HS_MODE_BLOCK, nullptr, &database, &error) != HS_SUCCESS) {
    return std::unexpected(compile_error(error));
  }
  Regex regex;
  regex.database_.reset(database);
  return regex;
}

void Regex::prepare(Workspace& workspace) const { workspace.grow_for(*database_); }

void Regex::scan(std::string_view text, const Workspace& workspace,
                 const std::function<void(std::size_t, std::size_t)>& found) const {
  const auto on_match = [](unsigned, unsigned long long begin, unsigned long long end, unsigned,
                           void* context) {
    (*static_cast<const std::function<void(std::size_t, std::size_t)>*>(context))(
        static_cast<std::size_t>(begin), static_cast<std::size_t>(end));
    return 0;
  };
  CANDOR_CHECK(hs_scan(database_.get(), text.data(), static_cast<unsigned>(text.size()), 0,
                       workspace.get(), on_match,
                       const_cast<void*>(static_cast<const void*>(&found))) == HS_SUCCESS);
}

}  // namespace candor::dlp
