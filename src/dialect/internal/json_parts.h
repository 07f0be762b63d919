// Appends pieces of JSON without a tree: what the writers and the engine request are made with.
#pragma once

#include <concepts>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "dialect/exchange.h"
#include "json/json.h"

namespace candor::dialect {

template <std::integral T>
void append_number(std::string& out, T value) {
  const fmt::format_int digits(value);
  out.append(digits.data(), digits.size());
}

inline void append_text(std::string& out, const Text& text) {
  json::append_string(out, text.reveal());
}

// The id of a tool call in an answer: unique over all answers, and made of what the monitor knows.
inline void append_call_id(std::string& out, std::string_view prefix, std::string_view exchange,
                           std::size_t choice, std::size_t call) {
  out += prefix;
  out += exchange.substr(0, 24);
  out += '_';
  append_number(out, choice);
  out += '_';
  append_number(out, call);
}

// An embedding as a list of numbers (openai_embeddings_writer.cc).
void append_vector(std::string& out, const Embedding& embedding);

template <typename... F>
struct Overloaded : F... {
  using F::operator()...;
};

// ,"candor":{"exchange":"..","policy":{..},"receipt":".."} with the leading comma; what is empty is
// left out.
inline void append_candor(std::string& out, std::string_view exchange, std::string_view receipt,
                          std::string_view policy = {}) {
  out += R"(,"candor":{"exchange":)";
  json::append_string(out, exchange);
  if (!policy.empty()) {
    out += R"(,"policy":)";
    out += policy;
  }
  if (!receipt.empty()) {
    out += R"(,"receipt":)";
    json::append_string(out, receipt);
  }
  out += '}';
}

}  // namespace candor::dialect
