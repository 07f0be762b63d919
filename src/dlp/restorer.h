// Turns stand-ins back into the values that they stood for in a request, while the answer streams
// (C6, L1). The same for every way to cut the text into pieces.
//
// A stand-in is turned back where it stands for itself in prose: not in or beside a longer word, an
// address of the web (a run of characters without white space that holds "://", "www." or
// "mailto:"), or code (between backticks, inside fences of ``` or ~~~, in lines that begin with a
// tab or four spaces). What might still become one is held back, at most the longest stand-in and
// two bytes.
#pragma once

#include <bitset>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace candor::dlp {

// Stand-in to value; see Pseudonyms::minted().
using StandIns = std::map<std::string, std::string, std::less<>>;

class Restorer {
 public:
  // json: the text is JSON, so a value that JSON would escape stays as it is. One thread at a time.
  Restorer(std::shared_ptr<const StandIns> stand_ins, bool json);

  // Appends to `out` what is settled, with stand-ins turned back.
  void feed(std::string_view text, std::string& out);
  // The text ends here; another may follow.
  void finish(std::string& out);
  // How many were turned back.
  [[nodiscard]] std::size_t restored() const noexcept { return restored_; }

 private:
  enum class Found : std::uint8_t { kNo, kYes, kMaybe };

  void work(bool end, std::string& out);
  [[nodiscard]] Found look(std::string_view rest, bool end,
                           const StandIns::value_type** found) const;
  [[nodiscard]] Found stands_alone(std::string_view stand_in, std::string_view behind,
                                   bool end) const;
  [[nodiscard]] bool allowed_here() const;
  void pass(char c);

  std::shared_ptr<const StandIns> stand_ins_;
  std::bitset<256> begins_;  // bytes with which one begins
  std::size_t longest_ = 0;  // bytes
  bool json_;
  std::string held_;
  std::size_t restored_ = 0;
  // Where the text stands.
  std::string word_;         // since the last white space; its last 16 bytes
  bool web_ = false;         // that word is an address of the web
  std::size_t indent_ = 0;   // columns of white space at the line's beginning
  bool line_begins_ = true;  // nothing but white space in this line so far
  char ticks_of_ = 0;        // what the run of backticks or tildes that stands here is made of
  std::size_t ticks_ = 0;    // its length
  bool run_begins_line_ = false;
  std::size_t inline_ = 0;  // backticks that opened the code that stands here
  std::size_t fence_ = 0;   // the same of a fence
  char fence_of_ = 0;
};

}  // namespace candor::dlp
