// The encodings that cannot be opened (text.opaque), seen byte by byte and in bounded state: the
// runs that open_encodings() gives for the whole text, but known only when they have ended.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dlp/encoding.h"

namespace candor::dlp {

// Whether what a chain of base64 or hex decodes to is text of one layer: is_text() and
// encoded_again() of encoding.cc, byte by byte.
class DecodedJudge {
 public:
  explicit DecodedJudge(Layer layer) : layer_(layer) {}
  void add(char digit);
  [[nodiscard]] bool is_text() const;

 private:
  void byte(char c);
  void sequence(char c);

  Layer layer_;
  std::uint32_t bits_ = 0;
  std::size_t digits_ = 0, bytes_ = 0, good_ = 0, foreign_ = 0, run_ = 0;
  bool again_ = false;
  // UTF-8: the sequence at hand, and where the first broken one begins.
  std::string sequence_;
  std::size_t skipped_ = 0, broken_ = ~std::size_t{0};
};

class OpaqueWatch {
 public:
  explicit OpaqueWatch(Layer layer) : layer_(layer), judge_(layer) {}

  // A folded byte that stands for bytes [begin, end) of the text; covered: something was found
  // there, to which an opaque run gives way.
  void add(char c, std::size_t begin, std::size_t end, bool covered, std::vector<OpaqueRun>& out);
  // The same for folded bytes that stand for themselves, from byte `at` of the text on, where
  // nothing was found.
  void add_text(std::string_view text, std::size_t at, std::vector<OpaqueRun>& out);
  void finish(std::vector<OpaqueRun>& out);
  // Where the run at hand begins; ~0 for none.
  [[nodiscard]] std::size_t begin() const { return digits_ > 0 || grouped_ > 0 ? begin_ : kNone; }

 private:
  static constexpr std::size_t kNone = ~std::size_t{0};
  [[nodiscard]] bool is_digit(char c) const;
  void digits(std::string_view these, std::size_t begin, std::size_t end, bool covered);
  void other(char c, std::vector<OpaqueRun>& out);
  void group_joins_chain();
  void judge(std::string_view digits);
  [[nodiscard]] bool end_group();  // false: it was none of the chain
  void end_chain(std::vector<OpaqueRun>& out);

  Layer layer_;
  DecodedJudge judge_;
  std::size_t digits_ = 0;               // of the chain
  std::string chain_;                    // them, while they are too few to be judged
  std::size_t begin_ = kNone, end_ = 0;  // of the chain, or of its first group
  std::size_t grouped_ = 0;              // digits of the group at hand
  std::string group_;                    // them, while they are few
  std::size_t group_end_ = 0;
  std::size_t gap_ = 0;  // white space behind the last group
  bool colon_ = false;   // a colon stands behind it
  bool covered_ = false, group_covered_ = false;
};

}  // namespace candor::dlp
