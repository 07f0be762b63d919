#include "output.h"

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>
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

// JSON text in which what strip_controls would replace (only strings hold any) is written \uXXXX,
// so that the value stays what it is.
std::string escaped(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  while (!json.empty()) {
    const std::string_view sequence = json.substr(0, std::max<std::size_t>(utf8_sequence(json), 1));
    if (std::string shown = strip_controls(sequence); shown == sequence || sequence.size() > 3) {
      out += shown;
    } else {
      const auto at = [&](std::size_t i) { return static_cast<unsigned char>(sequence[i]); };
      const unsigned point = sequence.size() == 1 ? at(0)
                             : sequence.size() == 2
                                 ? (at(0) & 0x1FU) << 6U | (at(1) & 0x3FU)
                                 : (at(0) & 0x0FU) << 12U | (at(1) & 0x3FU) << 6U | (at(2) & 0x3FU);
      out += fmt::format("\\u{:04x}", point);
    }
    json.remove_prefix(sequence.size());
  }
  return out;
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
  line(options_.raw ? text : escaped(text));
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
