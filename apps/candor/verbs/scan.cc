// candor scan: what detectors find in files, without a server.
#include <algorithm>
#include <cstdio>
#include <fstream>

#include <unistd.h>

#include "base/file_system.h"
#include "dlp/pack.h"
#include "verbs/scan_report.h"
#include "verbs/verbs.h"

namespace candor::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxFile = 1U << 30U;
constexpr std::size_t kLooksBinary = 8192;

Result<std::string> read_standard_input() {
  std::string text;
  std::array<char, 65536> buffer{};
  for (;;) {
    const ssize_t size = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (size < 0) return fail(Code::kUnavailable, "standard input cannot be read");
    if (size == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(size));
    if (text.size() > kMaxFile) return fail(Code::kResourceExhausted, "more than 1 GiB");
  }
}

Result<std::string> read_whole(const fs::path& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  if (!error && size > kMaxFile) return fail(Code::kResourceExhausted, "larger than 1 GiB");
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(Code::kPermissionDenied, "cannot be opened");
  std::string text(std::istreambuf_iterator<char>(in), {});
  if (in.bad()) return fail(Code::kUnavailable, "cannot be read");
  return text;
}

Result<dlp::Scanner> make_scanner(const std::string& folder) {
  std::vector<dlp::Pack> packs = TRY(dlp::builtin_packs());
  if (!folder.empty()) {
    const auto names = TRY(real_file_system().list(folder));
    for (const std::string& name : names) {
      if (!name.ends_with(".toml")) continue;
      const Bytes text =
          TRY(read_file(real_file_system(), fs::path(folder) / name, dlp::kMaxPackBytes));
      packs.push_back(TRY(dlp::parse_pack(as_text(text), name)));
    }
  }
  return dlp::Scanner::build(std::move(packs));
}

class Scan {
 public:
  Scan(const dlp::Scanner& scanner, const ScanOptions& options)
      : scanner_(scanner), scratch_(scanner.make_scratch()), options_(options) {}

  Result<void> path(const std::string& path) {
    if (path == "-") {
      text("-", TRY(read_standard_input()));
      return {};
    }
    std::error_code error;
    const auto status = fs::status(path, error);
    if (status.type() == fs::file_type::not_found) {
      return fail(Code::kNotFound, path + " does not exist");
    }
    if (fs::is_directory(status)) {
      folder(path);
      return {};
    }
    auto content = read_whole(path);
    if (!content) return std::unexpected(std::move(content).error().with_context(path));
    text(path, *content);
    return {};
  }

  [[nodiscard]] const ScanReport& report() const { return report_; }

 private:
  void folder(const fs::path& root) {
    std::error_code error;
    std::vector<fs::path> files;
    fs::recursive_directory_iterator walk(root, fs::directory_options::skip_permission_denied,
                                          error);
    for (; !error && walk != fs::recursive_directory_iterator(); walk.increment(error)) {
      if (walk->is_symlink()) continue;
      if (walk->is_directory() && walk->path().filename() == ".git") {
        walk.disable_recursion_pending();
      } else if (walk->is_regular_file()) {
        files.push_back(walk->path());
      }
    }
    if (error) report_.skipped.push_back({root.string(), error.message()});
    std::ranges::sort(files);
    for (const fs::path& file : files) {
      const auto content = read_whole(file);
      if (!content) {
        report_.skipped.push_back({file.string(), content.error().message()});
      } else if (std::string_view(*content).substr(0, kLooksBinary).contains('\0')) {
        report_.skipped.push_back({file.string(), "binary"});
      } else {
        text(file.string(), *content);
      }
    }
  }

  void text(const std::string& path, std::string_view content) {
    ++report_.files;
    report_.bytes += content.size();
    scanner_.scan(content, *scratch_, findings_, options_.min_confidence);
    add_findings(report_, path, content, findings_, options_.show);
  }

  const dlp::Scanner& scanner_;
  dlp::Scanner::ScratchPtr scratch_;
  const ScanOptions& options_;
  ScanReport report_;
  std::vector<dlp::Finding> findings_;
};

}  // namespace

int run_scan(const ScanOptions& options) {
  const Output out({.json = options.json, .raw = options.raw});
  if (options.paths.empty() && !options.list) {
    return report(out, {Code::kInvalidArgument,
                        "nothing to scan: name a file, a folder, or - for standard input"});
  }
  const auto scanner = make_scanner(options.packs);
  if (!scanner) return report(out, scanner.error());
  if (options.list) {
    print_detectors(out, scanner->detectors());
    return kExitDone;
  }
  Scan scan(*scanner, options);
  for (const std::string& path : options.paths) {
    if (const auto done = scan.path(path); !done) return report(out, done.error());
  }
  if (options.sarif) {
    out.document(report_sarif(scan.report(), scanner->detectors(), kVersion));
  } else if (out.json()) {
    out.document(report_json(scan.report(), scanner->detectors()));
  } else {
    print_report(out, scan.report(), scanner->detectors());
  }
  return scan.report().findings.empty() ? kExitDone : kExitFindings;
}

}  // namespace candor::cli
