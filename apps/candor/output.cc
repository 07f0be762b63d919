#include "output.h"

#include <cstdio>

#include <unistd.h>

#include "base/text.h"

namespace candor::cli {
namespace {

void put(std::FILE* file, std::string_view text) { std::fwrite(text.data(), 1, text.size(), file); }

void indent(const json::Value& value, std::size_t depth, std::string& out) {
  const std::string pad(2 * (depth + 1), ' ');
  if (value.is_object() && !value.get_object().empty()) {
    out += "{\n";
    bool first = true;
    for (const auto& [key, member] : value.get_object()) {
      if (!first) out += ",\n";
      first = false;
      out += pad;
      json::append_string(out, std::string_view(key.data(), key.size()));
      out += ": ";
      indent(member, depth + 1, out);
    }
    out += "\n" + std::string(2 * depth, ' ') + "}";
  } else if (value.is_array() && !value.get_array().empty()) {
    out += "[\n";
    bool first = true;
    for (const auto& member : value.get_array()) {
      if (!first) out += ",\n";
      first = false;
      out += pad;
      indent(member, depth + 1, out);
    }
    out += "\n" + std::string(2 * depth, ' ') + "]";
  } else {
    out += json::to_text(value);
  }
}

}  // namespace

Output::Output(OutputOptions options)
    : options_(options),
      terminal_(is_terminal(STDOUT_FILENO)),
      style_(options.json ? Style(false) : Style::of(STDOUT_FILENO)) {}

std::string Output::shown(std::string_view text) const {
  return options_.raw ? std::string(text) : strip_controls(text);
}

void Output::line(std::string_view text) const {
  put(stdout, text);
  put(stdout, "\n");
}

void Output::write(std::string_view text) const {
  put(stdout, text);
  std::fflush(stdout);
}

void Output::note(std::string_view text) const {
  std::fflush(stdout);
  put(stderr, text);
  put(stderr, "\n");
}

void Output::document(const json::Value& value) const {
  std::string text;
  indent(value, 0, text);
  line(text);
}

void Output::table(const std::vector<std::string>& head,
                   const std::vector<std::vector<std::string>>& rows) const {
  Table table(head, style_);
  for (const auto& row : rows) {
    table.add(std::vector<Table::Cell>(row.begin(), row.end()));
  }
  write(table.text());
}

int exit_code(Code code) noexcept {
  switch (code) {
    case Code::kDataLoss: return kExitFails;
    case Code::kInvalidArgument: return kExitUsage;
    case Code::kFailedPrecondition: return 3;
    case Code::kNotFound: return 4;
    case Code::kPermissionDenied: return 5;
    case Code::kResourceExhausted: return 6;
    case Code::kUnavailable: return 7;
    case Code::kDeadlineExceeded: return 8;
    case Code::kInternal: return 9;
    case Code::kCancelled: return 130;
  }
  return 9;
}

int report(const Output& output, const Error& error) {
  if (output.json()) {
    json::Object inner;
    inner["code"] = to_string(error.code());
    inner["message"] = error.message();
    json::Object outer;
    outer["error"] = std::move(inner);
    output.document(outer);
  } else {
    output.note("candor: " + output.shown(error.message()));
  }
  return exit_code(error.code());
}

}  // namespace candor::cli
