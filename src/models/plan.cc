#include "models/plan.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "json/json.h"

namespace candor::models {
namespace {

constexpr std::string_view kPlanType = "candor.pull/1";
constexpr std::string_view kRangesType = "candor.pull-ranges/1";
constexpr std::size_t kMaxRanges = 65'536;
constexpr std::size_t kMaxUrl = 8'192;

bool is_plain(std::string_view text, std::size_t most) {
  return text.size() <= most && is_utf8(text) &&
         std::ranges::none_of(text, [](char c) { return c >= 0 && c < 0x20; });
}

Result<std::uint64_t> offset(const json::Value& value) {
  if (!value.is_int64() || value.get_int64() < 0) {
    return fail(Code::kInvalidArgument, "an offset is not a number from 0 on");
  }
  return static_cast<std::uint64_t>(value.get_int64());
}

Result<PlannedFile> planned(const json::Value& value) {
  const json::Object& object = *TRY(json::as_object(value, "files"));
  TRY(json::only_keys(object, {"git_sha1", "path", "sha256", "size", "url"}));
  PlannedFile file;
  file.path = TRY(json::get_string(object, "path"));
  file.url = TRY(json::get_string(object, "url"));
  file.git_sha1 = TRY(json::get_string(object, "git_sha1"));
  const std::int64_t size = TRY(json::get_int(object, "size"));
  if (size >= 0) file.size = static_cast<std::uint64_t>(size);
  const std::string_view sha256 = TRY(json::get_string(object, "sha256"));
  if (!sha256.empty()) file.sha256 = TRY(digest_from_hex(sha256));
  if (!is_file_path(file.path) || !is_plain(file.url, kMaxUrl) ||
      !(file.git_sha1.empty() || file.git_sha1.size() == 40)) {
    return fail(Code::kInvalidArgument, "a file of the plan is not as it should be");
  }
  return file;
}

}  // namespace

Result<std::string> to_json(const Plan& plan) {
  json::Object object;
  object["type"] = kPlanType;
  object["reference"] = plan.source.reference;
  object["revision"] = plan.source.revision;
  object["trust"] = to_string(plan.source.trust);
  object["given"] = plan.given ? to_hex(*plan.given) : std::string();
  object["inside"] = plan.inside;
  json::Array files;
  for (const PlannedFile& file : plan.files) {
    json::Object one;
    one["path"] = file.path;
    one["url"] = file.url;
    one["size"] = file.size ? static_cast<std::int64_t>(*file.size) : std::int64_t{-1};
    one["sha256"] = file.sha256 ? to_hex(*file.sha256) : std::string();
    one["git_sha1"] = file.git_sha1;
    files.push_back(std::move(one));
  }
  object["files"] = std::move(files);
  return json::canonical(object);
}

Result<Plan> plan_from_json(std::string_view text) {
  const json::Value value =
      TRY(json::parse_canonical(text, {.max_bytes = kMaxManifestBytes, .max_depth = 8}));
  const json::Object& object = *TRY(json::as_object(value, "plan"));
  TRY(json::only_keys(object,
                      {"files", "given", "inside", "reference", "revision", "trust", "type"}));
  if (TRY(json::get_string(object, "type")) != kPlanType) {
    return fail(Code::kInvalidArgument, "this is no plan of a kind that is known");
  }
  Plan plan;
  plan.source.reference = TRY(json::get_string(object, "reference"));
  plan.source.revision = TRY(json::get_string(object, "revision"));
  const std::string_view trust = TRY(json::get_string(object, "trust"));
  plan.source.trust = TRY(trust_from(trust));
  plan.inside = TRY(json::get_string(object, "inside"));
  const std::string_view given = TRY(json::get_string(object, "given"));
  if (!given.empty()) plan.given = TRY(digest_from_hex(given));
  const json::Array& files = *TRY(json::get_array(object, "files"));
  if (files.empty() || files.size() > kMaxFiles) {
    return fail(Code::kInvalidArgument, "a plan has 1 to 1024 files");
  }
  for (const json::Value& file : files) plan.files.push_back(TRY(planned(file)));
  return plan;
}

void Ranges::add(std::uint64_t begin, std::uint64_t end) {
  if (begin >= end) return;
  std::vector<Range> out;
  out.reserve(ranges_.size() + 1);
  for (const Range& range : ranges_) {
    if (range.end < begin || range.begin > end) {
      out.push_back(range);
    } else {
      begin = std::min(begin, range.begin);
      end = std::max(end, range.end);
    }
  }
  out.push_back({begin, end});
  std::ranges::sort(out, {}, &Range::begin);
  ranges_ = std::move(out);
}

std::optional<Ranges::Range> Ranges::missing(std::uint64_t size, std::uint64_t most,
                                             const std::vector<Range>& taken) const {
  Ranges held = *this;
  for (const Range& range : taken) held.add(range.begin, range.end);
  std::uint64_t at = 0;
  std::uint64_t until = size;
  for (const Range& range : held.ranges_) {
    if (range.begin > at) {
      until = std::min(size, range.begin);
      break;
    }
    at = range.end;
  }
  if (at >= until) return std::nullopt;
  return Range{at, std::min(until, at + most)};
}

std::uint64_t Ranges::bytes() const noexcept {
  std::uint64_t sum = 0;
  for (const Range& range : ranges_) sum += range.end - range.begin;
  return sum;
}

Result<std::string> to_json(const Fetched& fetched) {
  json::Object object;
  object["type"] = kRangesType;
  object["etag"] = fetched.etag;
  object["size"] = fetched.size;
  json::Array ranges;
  for (const Ranges::Range& range : fetched.ranges.all()) {
    ranges.push_back(json::Array{range.begin, range.end});
  }
  object["ranges"] = std::move(ranges);
  return json::canonical(object);
}

Result<Fetched> fetched_from_json(std::string_view text) {
  const json::Value value =
      TRY(json::parse_canonical(text, {.max_bytes = kMaxManifestBytes, .max_depth = 8}));
  const json::Object& object = *TRY(json::as_object(value, "ranges"));
  TRY(json::only_keys(object, {"etag", "ranges", "size", "type"}));
  if (TRY(json::get_string(object, "type")) != kRangesType) {
    return fail(Code::kInvalidArgument, "these are no ranges of a kind that is known");
  }
  Fetched out;
  out.etag = TRY(json::get_string(object, "etag"));
  const std::int64_t size = TRY(json::get_int(object, "size"));
  if (size < 0 || static_cast<std::uint64_t>(size) > kMaxFileBytes || !is_plain(out.etag, 1'024)) {
    return fail(Code::kInvalidArgument, "a size or an ETag is out of bounds");
  }
  out.size = static_cast<std::uint64_t>(size);
  const json::Array& ranges = *TRY(json::get_array(object, "ranges"));
  if (ranges.size() > kMaxRanges) return fail(Code::kInvalidArgument, "too many ranges");
  std::uint64_t before = 0;
  for (const json::Value& range : ranges) {
    if (!range.is_array() || range.get_array().size() != 2) {
      return fail(Code::kInvalidArgument, "a range is not a pair");
    }
    const std::uint64_t begin = TRY(offset(range.get_array()[0]));
    const std::uint64_t end = TRY(offset(range.get_array()[1]));
    if (begin >= end || end > out.size || (!out.ranges.all().empty() && begin <= before)) {
      return fail(Code::kInvalidArgument, "ranges overlap, touch, or leave the file");
    }
    out.ranges.add(begin, end);
    before = end;
  }
  return out;
}

}  // namespace candor::models
