#include "passport/card.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"

namespace candor::passport {
namespace {

using Row = std::vector<std::string>;

struct Section {
  std::string heading;
  std::vector<std::string> paragraphs{};
  Row head{};
  std::vector<Row> rows{};
  std::vector<std::string> items{};
};

void add_stated(std::vector<Row>& rows, std::string_view name, const StatedText& stated) {
  if (!stated) return;
  rows.push_back({std::string(name), stated->value, std::string(to_string(stated->evidence))});
}

void add_list(std::vector<Row>& rows, std::string_view name, const StatedList& stated) {
  if (!stated) return;
  std::string all;
  for (const std::string& one : stated->value) all.append(all.empty() ? "" : ", ").append(one);
  rows.push_back({std::string(name), all, std::string(to_string(stated->evidence))});
}

Section about_section(const Passport& passport) {
  Section out{.heading = "What it is", .head = {"", "Value", "Evidence"}};
  const About& about = passport.about;
  add_stated(out.rows, "Architecture", about.architecture);
  add_stated(out.rows, "Parameters", about.parameters);
  add_stated(out.rows, "Quantisation", about.quantisation);
  if (about.context) {
    out.rows.push_back({"Context", fmt::format("{} tokens", about.context->value),
                        std::string(to_string(about.context->evidence))});
  }
  add_list(out.rows, "Languages", about.languages);
  add_list(out.rows, "Modalities", about.modalities);
  add_stated(out.rows, "Licence", about.licence);
  add_stated(out.rows, "Organisation", passport.origin.organisation);
  add_stated(out.rows, "Country", passport.origin.country);
  add_stated(out.rows, "Jurisdiction", passport.origin.jurisdiction);
  add_stated(out.rows, "Contact", passport.origin.contact);
  return out;
}

Section files_section(const Passport& passport) {
  Section out{.heading = "Files", .head = {"Name", "Role", "Bytes", "SHA-256"}};
  for (const PassportFile& file : passport.files) {
    out.rows.push_back({file.name, std::string(to_string(file.role)), fmt::format("{}", file.bytes),
                        to_hex(file.sha256)});
  }
  if (passport.tokenizer) {
    out.paragraphs.push_back("Tokenizer: SHA-256 " + to_hex(*passport.tokenizer));
  }
  if (passport.chat_template) {
    out.paragraphs.push_back("Chat template: SHA-256 " + to_hex(*passport.chat_template));
  }
  return out;
}

template <typename T>
std::string names(const std::vector<T>& list) {
  std::string out;
  for (const T& one : list) {
    out.append(out.empty() ? "" : ", ");
    if constexpr (requires { one.artefact; }) {
      out.append(one.artefact.name);
    } else {
      out.append(one.name);
    }
  }
  return out;
}

Section descent_section(const Passport& passport) {
  Section out{.heading = "Where it comes from",
              .head = {"Step", "By", "Role", "From", "Data", "Compute (FLOP)", "Evidence"}};
  for (const DescentStep& one : passport.descent) {
    const Derivation& step = one.statement;
    out.rows.push_back({std::string(to_string(step.step)), step.actor.name,
                        std::string(to_string(step.actor.role)), names(step.inputs),
                        names(step.datasets), step.compute_flop,
                        std::string(to_string(step.evidence))});
  }
  for (const std::string& gap : chain_gaps(passport)) out.items.push_back("Missing: " + gap);
  return out;
}

Section use_section(const Passport& passport) {
  Section out{.heading = "Use and limits"};
  for (const std::string& one : passport.use.intended) out.items.push_back("Intended: " + one);
  for (const std::string& one : passport.use.limits) out.items.push_back("Limit: " + one);
  for (const std::string& one : passport.use.out_of_scope) {
    out.items.push_back("Out of scope: " + one);
  }
  if (out.items.empty()) out.paragraphs.emplace_back("The passport says nothing of it.");
  return out;
}

Section evaluations_section(const Passport& passport) {
  Section out{.heading = "Evaluations", .head = {"Name", "Metric", "Value", "Data", "Evidence"}};
  for (const Evaluation& one : passport.evaluations) {
    out.rows.push_back({one.name, one.metric, one.value,
                        one.slice.empty() ? one.dataset : one.dataset + " " + one.slice,
                        std::string(to_string(one.evidence))});
  }
  if (out.rows.empty()) out.paragraphs.emplace_back("The passport holds none.");
  return out;
}

std::vector<Section> sections_of(const Passport& passport, const CardFacts& facts) {
  Section head{.heading = "Model card"};
  head.paragraphs.push_back(facts.signature);
  head.paragraphs.push_back(fmt::format("Passport: SHA-256 {}, made at {} by {}.", facts.digest,
                                        passport.made_at, passport.made_by));
  head.paragraphs.emplace_back(
      "\"measured-here\" was taken by Candor from the bytes themselves; \"claimed\" was said by "
      "somebody, and proves only that.");
  return {std::move(head),       about_section(passport),       descent_section(passport),
          use_section(passport), evaluations_section(passport), files_section(passport)};
}

std::string title_of(const Passport& passport) {
  return passport.version.empty() ? passport.name : passport.name + " " + passport.version;
}

void markdown_row(std::string& out, const Row& row) {
  out.push_back('|');
  for (const std::string& cell : row) out.append(" ").append(escape_markdown(cell)).append(" |");
  out.push_back('\n');
}

void html_row(std::string& out, const Row& row, std::string_view tag) {
  out.append("<tr>");
  for (const std::string& cell : row) {
    out.append(fmt::format("<{}>{}</{}>", tag, escape_html(cell), tag));
  }
  out.append("</tr>\n");
}

}  // namespace

std::string escape_markdown(std::string_view text) {
  constexpr std::string_view kSpecial = "\\`*_{}[]()<>#+-.!|~&$^=\"'@:/";
  std::string out;
  for (const char c : strip_controls(text)) {
    if (c == '\n' || c == '\t') {
      out.push_back(' ');
      continue;
    }
    // Words with hyphens, dots and the like stay readable: only what can begin markup is escaped.
    if (kSpecial.find(c) != std::string_view::npos && c != '-' && c != '.' && c != '/' &&
        c != ':' && c != '\'' && c != '"' && c != '=' && c != '@') {
      out.push_back('\\');
    }
    // "https://", "www." and "name@host" make links by themselves in some dialects.
    if (c == ':' || c == '@') {
      out.append(c == ':' ? "&#58;" : "&#64;");
      continue;
    }
    out.push_back(c);
  }
  return out;
}

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : strip_controls(text)) {
    switch (c) {
      case '&': out.append("&amp;"); break;
      case '<': out.append("&lt;"); break;
      case '>': out.append("&gt;"); break;
      case '"': out.append("&quot;"); break;
      case '\'': out.append("&#39;"); break;
      default: out.push_back(c);
    }
  }
  return out;
}

std::string card_markdown(const Passport& passport, const CardFacts& facts) {
  std::string out = "# " + escape_markdown(title_of(passport)) + "\n";
  for (const Section& section : sections_of(passport, facts)) {
    out.append("\n## ").append(escape_markdown(section.heading)).append("\n");
    for (const std::string& text : section.paragraphs) {
      out.append("\n").append(escape_markdown(text)).append("\n");
    }
    if (!section.rows.empty()) {
      out.push_back('\n');
      markdown_row(out, section.head);
      out.push_back('|');
      for (std::size_t i = 0; i < section.head.size(); ++i) out.append(" --- |");
      out.push_back('\n');
      for (const Row& row : section.rows) markdown_row(out, row);
    }
    if (!section.items.empty()) out.push_back('\n');
    for (const std::string& item : section.items) {
      out.append("- ").append(escape_markdown(item)).append("\n");
    }
  }
  return out;
}

std::string card_html(const Passport& passport, const CardFacts& facts) {
  const std::string title = escape_html(title_of(passport));
  std::string out =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'\">\n"
      "<title>" +
      title +
      "</title>\n<style>body{font-family:sans-serif;max-width:60em;margin:2em auto}"
      "table{border-collapse:collapse}td,th{border:1px solid;padding:.2em .5em;text-align:left;"
      "overflow-wrap:anywhere}</style>\n</head>\n<body>\n<h1>" +
      title + "</h1>\n";
  for (const Section& section : sections_of(passport, facts)) {
    out.append("<h2>").append(escape_html(section.heading)).append("</h2>\n");
    for (const std::string& text : section.paragraphs) {
      out.append("<p>").append(escape_html(text)).append("</p>\n");
    }
    if (!section.rows.empty()) {
      out.append("<table>\n");
      html_row(out, section.head, "th");
      for (const Row& row : section.rows) html_row(out, row, "td");
      out.append("</table>\n");
    }
    if (!section.items.empty()) {
      out.append("<ul>\n");
      for (const std::string& item : section.items) {
        out.append("<li>").append(escape_html(item)).append("</li>\n");
      }
      out.append("</ul>\n");
    }
  }
  return out.append("</body>\n</html>\n");
}

}  // namespace candor::passport
