#include "passport/oms_manifest.h"

#include <algorithm>
#include <unordered_set>

#include <fmt/format.h>

#include "base/text.h"
#include "crypto/hash.h"
#include "passport/internal/fields.h"

namespace candor::passport {
namespace {

std::unexpected<Error> malformed(std::string what) {
  return fail(Code::kInvalidArgument, std::move(what));
}

std::string resource_name(const Resource& resource, bool shards) {
  if (!shards) return resource.path;
  return fmt::format("{}:{}:{}", resource.path, resource.start, resource.end);
}

// How the reference implementation names the hash of a shard, where the specification has the plain
// name; it takes no other.
std::string sharded_hash(const OmsManifest& manifest) {
  return fmt::format("sha256-sharded-{}", manifest.shard_bytes);
}

Result<void> check_hash(std::string_view name) {
  if (name == "sha256") return {};
  if (name == "blake2b" || name == "blake3") {
    return fail(Code::kFailedPrecondition,
                fmt::format("the hash {} is not taken here: sha256 is", name));
  }
  return malformed(fmt::format("'{}' is no hash of a model signature", shown(name)));
}

Result<void> parse_serialization(const json::Object& object, OmsManifest& out) {
  TRY(known_members(object, "serialization",
                    {"method", "hash_type", "shard_size", "allow_symlinks", "ignore_paths"}));
  const std::string method = TRY(text_member(object, "method"));
  if (method != "files" && method != "shards") {
    return malformed(fmt::format("'{}' is no method: files and shards are", shown(method)));
  }
  out.shards = method == "shards";
  const std::string hash = TRY(text_member(object, "hash_type"));
  TRY(check_hash(hash));
  out.allow_symlinks = TRY(json::get_bool(object, "allow_symlinks"));
  if (out.shards) {
    out.shard_bytes = TRY(number_member(object, "shard_size"));
    if (out.shard_bytes == 0) return malformed("shard_size must be at least 1");
  } else if (member(object, "shard_size") != nullptr) {
    return malformed("shard_size stands with the method shards alone");
  }
  if (member(object, "ignore_paths") != nullptr) {
    const json::Array& list = *TRY(array_member(object, "ignore_paths"));
    if (list.size() > kMaxResources) return malformed("ignore_paths is too long");
    for (const json::Value& one : list) {
      if (!one.is_string()) return malformed("ignore_paths must be strings");
      out.ignore.emplace_back(one.get_string());
    }
  }
  return {};
}

Result<void> parse_shard_name(std::string_view name, const OmsManifest& manifest, Resource& out) {
  const std::size_t second = name.rfind(':');
  const std::size_t first =
      second == std::string_view::npos || second == 0 ? second : name.rfind(':', second - 1);
  if (first == std::string_view::npos || first >= second) {
    return malformed("a shard's name must be path:start:end");
  }
  const auto start = parse_decimal(name.substr(first + 1, second - first - 1));
  const auto end = parse_decimal(name.substr(second + 1));
  if (!start || !end || *start >= *end || *end - *start > manifest.shard_bytes) {
    return malformed("a shard's name must be path:start:end, not longer than shard_size");
  }
  out.path = name.substr(0, first);
  out.start = *start;
  out.end = *end;
  if (out.path.contains(':')) return malformed("a sharded file's path must not hold a colon");
  return {};
}

Result<Resource> parse_resource(const json::Value& value, const OmsManifest& manifest) {
  if (!value.is_object()) return malformed("an element of resources must be an object");
  const json::Object& object = value.get_object();
  Resource out;
  const std::string name = TRY(text_member(object, "name"));
  const std::string hash = TRY(text_member(object, "algorithm"));
  if (!manifest.shards || hash != sharded_hash(manifest)) TRY(check_hash(hash));
  out.digest = TRY(hex_member(object, "digest"));
  if (manifest.shards) {
    TRY(parse_shard_name(name, manifest, out));
  } else {
    out.path = name;
  }
  if (out.path != "." && !is_model_path(out.path)) {
    return malformed(fmt::format("'{}' is no path inside a model", shown(name)));
  }
  return out;
}

Result<void> parse_resources(const json::Array& list, OmsManifest& out) {
  if (list.size() > kMaxResources) return malformed("a model has at most 1,048,576 resources");
  crypto::Sha256 root;
  std::unordered_set<std::string> names;
  for (const json::Value& one : list) {
    Resource resource = TRY(parse_resource(one, out));
    if (!names.insert(resource_name(resource, out.shards)).second) {
      return malformed(fmt::format("'{}' stands twice among the resources", shown(resource.path)));
    }
    root.update(resource.digest);
    out.resources.push_back(std::move(resource));
  }
  return {};
}

Digest root_of(const std::vector<Resource>& resources) {
  crypto::Sha256 root;
  for (const Resource& one : resources) root.update(one.digest);
  return root.finish();
}

}  // namespace

Result<OmsManifest> parse_oms_statement(ByteView payload) {
  const json::Value value =
      TRY(json::parse(as_text(payload), {.max_bytes = 64U << 20U, .max_depth = 16}));
  if (!value.is_object()) return malformed("a statement must be an object");
  const json::Object& object = value.get_object();
  const std::string type = TRY(text_member(object, "_type"));
  if (type != kStatementType) {
    return malformed(fmt::format("'{}' is no in-toto statement v1", shown(type)));
  }
  const std::string predicate_type = TRY(text_member(object, "predicateType"));
  if (predicate_type != kOmsPredicate) {
    return malformed(fmt::format("the predicate is '{}', not {}: this is no model signature",
                                 shown(predicate_type), kOmsPredicate));
  }
  TRY(known_members(object, "the statement", {"_type", "subject", "predicateType", "predicate"}));
  const json::Array& subjects = *TRY(array_member(object, "subject"));
  if (subjects.size() != 1 || !subjects.front().is_object()) {
    return malformed("a model signature has one subject");
  }
  const json::Object& subject = subjects.front().get_object();
  OmsManifest out;
  out.model_name = TRY(text_member(subject, "name"));
  const json::Object& digest = *TRY(object_member(subject, "digest"));
  const Digest root = TRY(hex_member(digest, "sha256"));
  const json::Object& predicate = *TRY(object_member(object, "predicate"));
  const json::Object& serialization = *TRY(object_member(predicate, "serialization"));
  TRY(parse_serialization(serialization, out));
  const json::Array& resources = *TRY(array_member(predicate, "resources"));
  TRY(parse_resources(resources, out));
  if (root_of(out.resources) != root) {
    return malformed("the statement's root digest is not that of its resources");
  }
  return out;
}

Result<std::string> format_oms_statement(const OmsManifest& manifest) {
  json::Object serialization;
  serialization["method"] = manifest.shards ? "shards" : "files";
  serialization["hash_type"] = "sha256";
  serialization["allow_symlinks"] = manifest.allow_symlinks;
  if (manifest.shards) serialization["shard_size"] = manifest.shard_bytes;
  if (!manifest.ignore.empty()) {
    json::Array list;
    for (const std::string& one : manifest.ignore) list.emplace_back(one);
    serialization["ignore_paths"] = std::move(list);
  }
  const std::string hash = manifest.shards ? sharded_hash(manifest) : "sha256";
  json::Array resources;
  for (const Resource& one : manifest.resources) {
    resources.push_back(json::Object{{"algorithm", hash},
                                     {"digest", to_hex(one.digest)},
                                     {"name", resource_name(one, manifest.shards)}});
  }
  json::Array subject;
  subject.push_back(
      json::Object{{"name", manifest.model_name},
                   {"digest", json::Object{{"sha256", to_hex(root_of(manifest.resources))}}}});
  json::Object out;
  out["_type"] = kStatementType;
  out["subject"] = std::move(subject);
  out["predicateType"] = kOmsPredicate;
  out["predicate"] = json::Object{{"serialization", std::move(serialization)},
                                  {"resources", std::move(resources)}};
  return json::canonical(out);
}

void sort_resources(std::vector<Resource>& resources) {
  // As if '/' were smaller than every other byte: UTF-8 keeps the order of code points.
  const auto key = [](char c) {
    return c == '/' ? 0 : static_cast<int>(static_cast<unsigned char>(c)) + 1;
  };
  std::ranges::sort(resources, [&key](const Resource& a, const Resource& b) {
    if (a.path == b.path) return a.start < b.start;
    return std::ranges::lexicographical_compare(a.path, b.path, {}, key, key);
  });
}

bool is_model_path(std::string_view path) noexcept {
  constexpr std::size_t kMaxPath = 4'096;
  if (path.empty() || path.size() > kMaxPath || !is_utf8(path)) return false;
  if (std::ranges::any_of(path, [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7F || c == '\\';
      })) {
    return false;
  }
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string_view part = path.substr(at, end - at);
    if (part.empty() || part == "." || part == "..") return false;
    at = end + 1;
  }
  return true;
}

bool is_ignored(std::string_view path, const std::vector<std::string>& ignored) {
  return std::ranges::any_of(ignored, [path](std::string_view one) {
    while (one.ends_with('/')) one.remove_suffix(1);
    return !one.empty() && path.starts_with(one) &&
           (path.size() == one.size() || path[one.size()] == '/');
  });
}

}  // namespace candor::passport
