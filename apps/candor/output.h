// What the command line shows: colours only on a terminal (and not under NO_COLOR), foreign text
// stripped of controls (S19), tables, and errors in one form. One thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/terminal.h"
#include "json/json.h"

namespace candor::cli {

struct OutputOptions {
  bool json = false;  // one JSON document on standard output, nothing else there
  bool raw = false;   // do not strip controls
};

class Output {
 public:
  explicit Output(OutputOptions options);

  [[nodiscard]] bool json() const noexcept { return options_.json; }
  [[nodiscard]] bool terminal() const noexcept { return terminal_; }  // standard output is one
  // Plain unless standard output is a terminal, and with --json.
  [[nodiscard]] const Style& style() const noexcept { return style_; }
  // Foreign text as it may be shown.
  [[nodiscard]] std::string shown(std::string_view text) const;

  void line(std::string_view text = {}) const;    // to standard output, with a newline
  void write(std::string_view text) const;        // the same without, flushed
  void note(std::string_view text) const;         // to standard error
  void document(const json::Value& value) const;  // indented JSON on standard output
  void table(const std::vector<std::string>& head,
             const std::vector<std::vector<std::string>>& rows) const;

 private:
  OutputOptions options_;
  bool terminal_ = false;
  Style style_;
};

// docs/errors.md.
inline constexpr int kExitDone = 0;
inline constexpr int kExitFails = 1;  // evidence: something is not as it was signed
inline constexpr int kExitUsage = 2;
inline constexpr int kExitFindings = 10;  // candor scan found something
[[nodiscard]] int exit_code(Code code) noexcept;
// "candor: message" on standard error (with --json {"error":{code,message}} on standard output);
// answers the exit code.
[[nodiscard]] int report(const Output& output, const Error& error);

}  // namespace candor::cli
