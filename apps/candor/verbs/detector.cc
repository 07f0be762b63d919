// candor detector values|documents|words|canary: packs of what an organisation registers.
#include <algorithm>
#include <filesystem>
#include <iterator>
#include <ranges>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/csv.h"
#include "base/text.h"
#include "context.h"
#include "dlp/registration.h"
#include "verbs/verbs.h"

namespace candor::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxInput = 256U << 20U;

crypto::ShortKey new_key() {
  crypto::ShortKey key{};
  system_random().fill(key);
  return key;
}

dlp::Registration named(const DetectorOptions& options) {
  return {.id = options.id, .name = options.name, .severity = options.severity};
}

fs::path pack_path(const DetectorOptions& options) {
  return options.out.empty() ? options.id + ".toml" : options.out;
}

// An older pack of this id is replaced; nothing else is.
Result<void> write_pack(const fs::path& path, const std::string& id, const std::string& pack) {
  std::error_code error;
  if (fs::exists(path, error)) {
    const std::string there = TRY(read_text_file(path, kMaxInput));
    if (there.substr(0, there.find("\n\n")) != pack.substr(0, pack.find("\n\n"))) {
      return fail(Code::kFailedPrecondition,
                  fmt::format("{} exists and is no pack of {}; name another file with --out",
                              path.string(), id));
    }
  }
  return write_text_file(path, pack);
}

int told(const DetectorOptions& options, const Result<dlp::Registered>& made,
         std::string_view what) {
  const Output out({.json = options.json, .raw = false});
  if (!made) return report(out, made.error());
  const fs::path path = pack_path(options);
  if (const auto done = write_pack(path, options.id, made->pack); !done) {
    return report(out, done.error());
  }
  if (out.json()) {
    out.document(json::Object{{"detector", options.id},
                              {"pack", path.string()},
                              {"kept", made->kept},
                              {"skipped", made->skipped}});
    return kExitDone;
  }
  out.line(fmt::format("{}: {} {}{}", path.string(), made->kept, what,
                       made->skipped == 0 ? "" : fmt::format(", {} skipped", made->skipped)));
  out.line(fmt::format("Try it:   candor scan --packs {} FILE",
                       path.has_parent_path() ? path.parent_path().string() : "."));
  out.line(fmt::format("Use it:   policy.detectors = [\"{}\"], then candor reload",
                       fs::absolute(path).string()));
  return kExitDone;
}

Result<std::vector<std::string>> texts_of(const DetectorOptions& options) {
  std::vector<std::string> texts;
  for (const std::string& file : options.files) {
    texts.push_back(TRY(read_text_file(file, kMaxInput)));
    if (!is_utf8(texts.back())) {
      return fail(Code::kInvalidArgument,
                  file + " is no UTF-8 text; turn it into text first, as pdftotext or pandoc do");
    }
  }
  return texts;
}

Result<dlp::Registered> values(const DetectorOptions& options) {
  if (options.separator.size() != 1) {
    return fail(Code::kInvalidArgument, "--separator is one character");
  }
  std::vector<std::string> all;
  for (const std::string& text : TRY(texts_of(options))) {
    for (const std::string& column : options.columns) {
      std::vector<std::string> some = TRY(csv_column(text, column, options.separator[0]));
      std::ranges::move(some, std::back_inserter(all));
    }
  }
  return dlp::register_values(named(options), all, new_key());
}

Result<dlp::Registered> documents(const DetectorOptions& options) {
  return dlp::register_documents(named(options), TRY(texts_of(options)), new_key(), options.gram);
}

Result<dlp::Registered> words(const DetectorOptions& options) {
  std::vector<std::string> all;
  for (const std::string& text : TRY(texts_of(options))) {
    for (const auto part : std::views::split(text, '\n')) {
      std::string_view line(part);
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (!line.empty() && !line.starts_with('#')) all.emplace_back(line);
    }
  }
  return dlp::register_words(named(options), all);
}

}  // namespace

int run_detector_values(const DetectorOptions& options) {
  return told(options, values(options), "values, as fingerprints");
}

int run_detector_documents(const DetectorOptions& options) {
  return told(options, documents(options), "fingerprints of passages");
}

int run_detector_words(const DetectorOptions& options) {
  return told(options, words(options), "words");
}

int run_detector_canary(const DetectorOptions& options) {
  const Output out({.json = options.json, .raw = false});
  const auto made = dlp::make_canary(named(options), new_key());
  if (!made) return report(out, made.error());
  const fs::path path = pack_path(options);
  if (const auto done = write_pack(path, options.id, made->pack); !done) {
    return report(out, done.error());
  }
  if (out.json()) {
    out.document(
        json::Object{{"detector", options.id}, {"pack", path.string()}, {"canary", made->text}});
  } else {
    out.line(fmt::format("{}: plant this text where nobody should read it", path.string()));
    out.line(made->text);
  }
  return kExitDone;
}

}  // namespace candor::cli
