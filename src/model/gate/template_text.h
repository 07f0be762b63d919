// What a template's texts are like: hidden characters, padding, markers, prose. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace candor::model::gate {

struct HiddenPlace {
  std::uint32_t line = 0, column = 0;
  std::string what;  // "U+200B"
};
// Zero-width, bidirectional, tag and control characters, spelt as such or escaped ("\u200b"); at
// most 8.
[[nodiscard]] std::vector<HiddenPlace> hidden_places(std::string_view text);
// Text behind so much white space on a line, or so many empty lines, that no screen shows it.
[[nodiscard]] std::optional<HiddenPlace> padding_place(std::string_view text);

// No words of a language: "<think>", "[/INST]", "\n", "```".
[[nodiscard]] bool is_marker(std::string_view text);
[[nodiscard]] std::size_t letters(std::string_view text);
// The words of four or more, in lower case with one space between, without special tokens; empty:
// no prose.
[[nodiscard]] std::string prose_words(std::string_view text);
// Orders to hide, deceive, advertise, fetch or ignore; addresses.
[[nodiscard]] bool gives_suspicious_order(std::string_view words, std::string_view text);
// Names by which a Python object's inside is reached.
[[nodiscard]] bool is_python_inside(std::string_view name);

}  // namespace candor::model::gate
