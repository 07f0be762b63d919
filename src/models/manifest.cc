#include "models/manifest.h"

#include <algorithm>
#include <charconv>
#include <numeric>

#include <fmt/format.h>

#include "base/text.h"
#include "crypto/hash.h"
#include "json/json.h"

namespace candor::models {
namespace {

constexpr std::string_view kType = "candor.model/1";
constexpr std::size_t kMaxText = 512;

bool is_alphanumeric(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}
bool is_name_character(char c) noexcept {
  return is_alphanumeric(c) || c == '.' || c == '_' || c == '-';
}

bool is_text(std::string_view text) noexcept {
  return text.size() <= kMaxText && is_utf8(text) &&
         std::ranges::none_of(text, [](char c) { return (c >= 0 && c < 0x20) || c == 0x7F; });
}

std::string_view to_string(Published published) noexcept {
  switch (published) {
    case Published::kNone: return "none";
    case Published::kSha256: return "sha256";
    case Published::kGitSha1: return "git-sha1";
  }
  return "none";
}

// The enumerator of this word among the first `count`.
template <typename Enum>
Result<Enum> word(std::string_view text, int count, std::string_view what) {
  for (int i = 0; i < count; ++i) {
    if (to_string(static_cast<Enum>(i)) == text) return static_cast<Enum>(i);
  }
  return fail(Code::kInvalidArgument, fmt::format("a manifest's {} is none that is known", what));
}

template <typename Enum>
Result<Enum> word_member(const json::Object& object, std::string_view key, int count) {
  const std::string_view text = TRY(json::get_string(object, key));
  return word<Enum>(text, count, key);
}

Result<std::string> text_member(const json::Object& object, std::string_view key) {
  const std::string_view text = TRY(json::get_string(object, key));
  if (!is_text(text)) {
    return fail(Code::kInvalidArgument,
                fmt::format("field '{}' is longer than {} bytes or holds controls", key, kMaxText));
  }
  return std::string(text);
}

Result<std::int64_t> time_member(const json::Object& object, std::string_view key) {
  const std::int64_t value = TRY(json::get_int(object, key));
  if (value < 0) return fail(Code::kInvalidArgument, fmt::format("field '{}' is negative", key));
  return value;
}

Result<StoredFile> file_from(const json::Value& value) {
  const json::Object& object = *TRY(json::as_object(value, "files"));
  TRY(json::only_keys(object, {"path", "published", "sha256", "size"}));
  StoredFile file;
  file.path = TRY(json::get_string(object, "path"));
  const std::string_view sha256 = TRY(json::get_string(object, "sha256"));
  file.sha256 = TRY(digest_from_hex(sha256));
  const std::int64_t size = TRY(json::get_int(object, "size"));
  if (size < 0 || static_cast<std::uint64_t>(size) > kMaxFileBytes) {
    return fail(Code::kInvalidArgument, "a file's size is out of bounds");
  }
  file.size = static_cast<std::uint64_t>(size);
  file.published = TRY(word_member<Published>(object, "published", 3));
  return file;
}

Result<void> check(const Manifest& manifest) {
  if (manifest.files.empty() || manifest.files.size() > kMaxFiles) {
    return fail(Code::kInvalidArgument,
                fmt::format("a model has 1 to {} files, not {}", kMaxFiles, manifest.files.size()));
  }
  for (std::size_t i = 0; i < manifest.files.size(); ++i) {
    if (!is_file_path(manifest.files[i].path)) {
      return fail(Code::kInvalidArgument,
                  fmt::format("the path of file {} is not one that a model may have", i));
    }
    if (i > 0 && manifest.files[i - 1].path >= manifest.files[i].path) {
      return fail(Code::kInvalidArgument, "files are not in the order of their paths, or repeat");
    }
  }
  for (const std::string* text :
       {&manifest.source.reference, &manifest.source.revision, &manifest.gate.by,
        &manifest.gate.architecture, &manifest.gate.licence}) {
    if (!is_text(*text)) return fail(Code::kInvalidArgument, "a text of the manifest is not plain");
  }
  return {};
}

json::Object file_json(const StoredFile& file) {
  json::Object object;
  object["path"] = file.path;
  object["sha256"] = to_hex(file.sha256);
  object["size"] = file.size;
  return object;
}

bool ends_with(std::string_view text, std::string_view end) { return text.ends_with(end); }

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

bool is_name(std::string_view name) noexcept {
  return !name.empty() && name.size() <= 128 && is_alphanumeric(name.front()) &&
         std::ranges::all_of(name, is_name_character);
}

std::string name_from(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool fits = out.empty() ? is_alphanumeric(c) : is_name_character(c);
    if (fits) {
      out.push_back(c);
    } else if (!out.empty() && out.back() != '-') {
      out.push_back('-');
    }
    if (out.size() == 128) break;
  }
  while (!out.empty() && out.back() == '-') out.pop_back();
  return out;
}

bool is_file_path(std::string_view path) noexcept {
  if (path.empty() || path.size() > 255 || !is_utf8(path)) return false;
  int parts = 0;
  while (true) {
    const std::size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (part.empty() || part == "." || part == ".." || ++parts > 8) return false;
    if (std::ranges::any_of(
            part, [](char c) { return (c >= 0 && c < 0x20) || c == 0x7F || c == '\\'; })) {
      return false;
    }
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

std::string_view to_string(Trust trust) noexcept {
  switch (trust) {
    case Trust::kNone: return "none";
    case Trust::kFirstUse: return "same source, first use";
    case Trust::kGiven: return "given";
  }
  return "none";
}

Result<Trust> trust_from(std::string_view text) { return word<Trust>(text, 3, "trust"); }

std::string_view to_string(Format format) noexcept {
  switch (format) {
    case Format::kGguf: return "gguf";
    case Format::kSafetensors: return "safetensors";
    case Format::kPytorch: return "pytorch";
    case Format::kOnnx: return "onnx";
  }
  return "gguf";
}

std::string_view to_string(Kind kind) noexcept {
  return kind == Kind::kAdapter ? "adapter" : "model";
}

Digest Manifest::digest() const {
  if (files.size() == 1) return files.front().sha256;
  json::Array list;
  for (const StoredFile& file : files) list.push_back(file_json(file));
  json::Object object;
  object["files"] = std::move(list);
  object["type"] = "candor.model.files/1";
  const auto text = json::canonical(object);
  return text ? crypto::sha256(as_bytes(*text)) : Digest{};  // sizes are bounded: it does not fail
}

std::uint64_t Manifest::total_bytes() const noexcept {
  return std::accumulate(files.begin(), files.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const StoredFile& f) { return sum + f.size; });
}

Result<std::string> to_json(const Manifest& manifest) {
  TRY(check(manifest));
  json::Object object;
  object["type"] = kType;
  object["digest"] = to_hex(manifest.digest());
  json::Array files;
  for (const StoredFile& file : manifest.files) {
    json::Object one = file_json(file);
    one["published"] = to_string(file.published);
    files.push_back(std::move(one));
  }
  object["files"] = std::move(files);
  object["format"] = to_string(manifest.format);
  object["kind"] = to_string(manifest.kind);
  json::Object gate;
  if (!manifest.gate.by.empty()) {
    gate["by"] = manifest.gate.by;
    gate["verdict"] = "passed";
    gate["architecture"] = manifest.gate.architecture;
    gate["licence"] = manifest.gate.licence;
  }
  object["gate"] = std::move(gate);
  json::Object source;
  source["reference"] = manifest.source.reference;
  source["revision"] = manifest.source.revision;
  source["trust"] = to_string(manifest.source.trust);
  object["source"] = std::move(source);
  object["pulled_us"] = manifest.pulled_us;
  object["admitted_us"] = manifest.admitted_us;
  return json::canonical(object);
}

Result<Manifest> manifest_from_json(std::string_view text) {
  const json::Value value =
      TRY(json::parse_canonical(text, {.max_bytes = kMaxManifestBytes, .max_depth = 8}));
  const json::Object& object = *TRY(json::as_object(value, "manifest"));
  TRY(json::only_keys(object, {"admitted_us", "digest", "files", "format", "gate", "kind",
                               "pulled_us", "source", "type"}));
  if (TRY(json::get_string(object, "type")) != kType) {
    return fail(Code::kInvalidArgument, "this is no manifest of a kind that is known");
  }
  Manifest out;
  const json::Array& files = *TRY(json::get_array(object, "files"));
  if (files.size() > kMaxFiles) return fail(Code::kInvalidArgument, "too many files");
  for (const json::Value& file : files) out.files.push_back(TRY(file_from(file)));
  out.format = TRY(word_member<Format>(object, "format", 4));
  out.kind = TRY(word_member<Kind>(object, "kind", 2));
  const json::Object& gate = *TRY(json::get_object(object, "gate"));
  if (!gate.empty()) {
    TRY(json::only_keys(gate, {"architecture", "by", "licence", "verdict"}));
    out.gate.by = TRY(text_member(gate, "by"));
    out.gate.architecture = TRY(text_member(gate, "architecture"));
    out.gate.licence = TRY(text_member(gate, "licence"));
    if (out.gate.by.empty() || TRY(json::get_string(gate, "verdict")) != "passed") {
      return fail(Code::kInvalidArgument, "the gate of a manifest has no verdict");
    }
  }
  const json::Object& source = *TRY(json::get_object(object, "source"));
  TRY(json::only_keys(source, {"reference", "revision", "trust"}));
  out.source.reference = TRY(text_member(source, "reference"));
  out.source.revision = TRY(text_member(source, "revision"));
  out.source.trust = TRY(word_member<Trust>(source, "trust", 3));
  out.pulled_us = TRY(time_member(object, "pulled_us"));
  out.admitted_us = TRY(time_member(object, "admitted_us"));
  TRY(check(out));
  if (TRY(json::get_string(object, "digest")) != to_hex(out.digest())) {
    return fail(Code::kInvalidArgument, "the manifest's digest is not that of its files");
  }
  return out;
}

bool split_name(std::string_view path, SplitName& out) {
  constexpr std::size_t kTail = std::string_view("-00001-of-00003.gguf").size();
  if (path.size() <= kTail || !ends_with(path, ".gguf")) return false;
  const std::string_view tail = path.substr(path.size() - kTail);
  const auto number = [](std::string_view digits, int& value) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return error == std::errc() && end == digits.data() + digits.size() && value >= 1;
  };
  if (tail[0] != '-' || tail.substr(6, 4) != "-of-" || !number(tail.substr(1, 5), out.number) ||
      !number(tail.substr(10, 5), out.count) || out.number > out.count) {
    return false;
  }
  out.stem = path.substr(0, path.size() - kTail);
  return true;
}

std::string split_file(const SplitName& name) {
  return fmt::format("{}-{:05}-of-{:05}.gguf", name.stem, name.number, name.count);
}

Result<Shape> shape_of(const std::vector<std::string>& paths) {
  std::vector<std::string_view> gguf, safetensors, pytorch, onnx;
  bool adapter = false;
  for (const std::string& path : paths) {
    const std::string_view name = base_name(path);
    if (ends_with(path, ".gguf")) gguf.push_back(path);
    if (ends_with(path, ".safetensors")) safetensors.push_back(path);
    if (ends_with(path, ".onnx")) onnx.push_back(path);
    if (ends_with(path, ".bin") || ends_with(path, ".pt") || ends_with(path, ".pth")) {
      pytorch.push_back(path);
    }
    adapter = adapter || name == "adapter_config.json";
  }
  Shape out{.kind = adapter ? Kind::kAdapter : Kind::kModel};
  const int formats = (gguf.empty() ? 0 : 1) + (safetensors.empty() ? 0 : 1) +
                      (pytorch.empty() ? 0 : 1) + (onnx.empty() ? 0 : 1);
  if (formats == 0) {
    return fail(Code::kInvalidArgument,
                "no weights among these files (.gguf, .safetensors, .bin, .pt, .pth or .onnx)");
  }
  if (formats > 1) {
    return fail(Code::kInvalidArgument,
                "weights of more than one format among these files: name the file that is meant");
  }
  if (!safetensors.empty()) out.format = Format::kSafetensors;
  if (!pytorch.empty()) out.format = Format::kPytorch;
  if (!onnx.empty()) out.format = Format::kOnnx;
  if (gguf.empty()) return out;

  // A model and, beside it, what goes with it by name: an adapter or a projector.
  std::vector<std::string_view> weights;
  for (const std::string_view path : gguf) {
    const std::string_view name = base_name(path);
    if (!name.starts_with("mmproj") && !name.starts_with("adapter") &&
        !name.starts_with("projector")) {
      weights.push_back(path);
    }
  }
  if (weights.empty()) {
    out.kind = Kind::kAdapter;
    return out;
  }
  SplitName first;
  if (!split_name(weights.front(), first)) {
    if (weights.size() == 1) return out;
    return fail(
        Code::kInvalidArgument,
        fmt::format("{} models among these files: name the one that is meant", weights.size()));
  }
  for (int number = 1; number <= first.count; ++number) {
    SplitName part = first;
    part.number = number;
    if (std::ranges::find(weights, split_file(part)) == weights.end()) {
      return fail(Code::kInvalidArgument,
                  fmt::format("part {} of the {} parts of this model is missing: {}", number,
                              first.count, base_name(split_file(part))));
    }
  }
  if (weights.size() != static_cast<std::size_t>(first.count)) {
    return fail(Code::kInvalidArgument, "more than the parts of one model among these files");
  }
  return out;
}

}  // namespace candor::models
