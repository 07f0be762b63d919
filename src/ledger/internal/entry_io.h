// The two directions of the entry format behind one interface: EntryWriter writes canonical JSON,
// EntryReader accepts exactly what EntryWriter writes. entry.cc lists each type's fields once, in
// sorted key order, and hands that list to either, so decode(encode(x)) == x and
// encode(decode(text)) == text by construction. No string of an entry ever needs an escape: every
// grammar below is printable ASCII without quote and backslash.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "ledger/entry.h"

namespace candor::ledger::internal {

inline constexpr std::uint64_t kMaxInteger = (1ULL << 53U) - 1;

enum class Grammar : std::uint8_t {
  kLabel,  // [A-Za-z0-9._:/@+-]{1,128}
  kLabelOrEmpty,
  kToken,  // [a-z0-9._-]{1,64}
  kTokenOrEmpty,
  kPseudonym,  // 32 lower-case hex digits
  kPseudonymOrEmpty,
  kFraction,  // decimal_text()
  kKey,       // a C2SP verifier key: label characters and =, at most 256
};
[[nodiscard]] bool matches(std::string_view text, Grammar grammar) noexcept;

class EntryWriter {
 public:
  static constexpr bool kReads = false;
  explicit EntryWriter(std::string& out) : out_(out) {}

  void open();
  void close();
  void key(std::string_view name);
  void literal(std::string_view name, std::string_view value);  // a string fixed by the type
  void version();

  template <typename T>
  void integer(std::string_view name, const T& value) {
    key(name);
    put_integer(static_cast<std::int64_t>(value),
                value > T{} && static_cast<std::uint64_t>(value) > kMaxInteger);
  }
  void decimal(std::string_view name, std::uint64_t value);
  void flag(std::string_view name, bool value);
  void text(std::string_view name, const std::string& value, Grammar grammar);
  void choice(std::string_view name, const std::string& value,
              std::initializer_list<std::string_view> choices);
  void basis(std::string_view name, Basis value);
  void digest(std::string_view name, const Digest& value);
  void id(std::string_view name, const Id128& value);
  void digests(std::string_view name, const std::vector<Digest>& values, std::size_t most);
  void ids(std::string_view name, const std::vector<Id128>& values, std::size_t most);
  void labels(std::string_view name, const std::vector<std::string>& values, std::size_t most);

  // Absent when empty: the key is left out.
  template <typename T, typename Put>
  void optional(std::string_view, const std::optional<T>& value, Put put) {
    if (value) put(*this, *value);
  }
  template <typename T, typename Put>
  void object(std::string_view name, const T& value, Put put) {
    key(name);
    open();
    put(*this, value);
    close();
  }
  template <typename T, typename Put>
  void objects(std::string_view name, const std::vector<T>& values, std::size_t most, Put put) {
    if (values.size() > most) bad(name, "has too many items");
    key(name);
    out_ += '[';
    for (const T& value : values) {
      if (&value != values.data()) out_ += ',';
      open();
      put(*this, value);
      close();
    }
    out_ += ']';
  }

  [[nodiscard]] Result<void> finish() const;

 private:
  void put_integer(std::int64_t value, bool too_large);
  void put_quoted(std::string_view text);
  void bad(std::string_view name, std::string_view what);

  std::string& out_;
  bool first_ = true;
  std::string error_;
  std::string_view name_;
};

class EntryReader {
 public:
  static constexpr bool kReads = true;
  explicit EntryReader(std::string_view text) : rest_(text) {}

  void open();
  void close();
  void key(std::string_view name);
  void literal(std::string_view name, std::string_view value);
  void version();

  template <typename T>
  void integer(std::string_view name, T& value) {
    key(name);
    const std::uint64_t read = take_integer(
        name,
        static_cast<std::uint64_t>(sizeof(T) < sizeof(std::uint64_t)
                                       ? std::uint64_t{static_cast<std::make_unsigned_t<T>>(~T{})}
                                       : kMaxInteger));
    value = static_cast<T>(read);
  }
  void decimal(std::string_view name, std::uint64_t& value);
  void flag(std::string_view name, bool& value);
  void text(std::string_view name, std::string& value, Grammar grammar);
  void choice(std::string_view name, std::string& value,
              std::initializer_list<std::string_view> choices);
  void basis(std::string_view name, Basis& value);
  void digest(std::string_view name, Digest& value);
  void id(std::string_view name, Id128& value);
  void digests(std::string_view name, std::vector<Digest>& values, std::size_t most);
  void ids(std::string_view name, std::vector<Id128>& values, std::size_t most);
  void labels(std::string_view name, std::vector<std::string>& values, std::size_t most);

  template <typename T, typename Take>
  void optional(std::string_view name, std::optional<T>& value, Take take) {
    if (next_key_is(name)) take(*this, value.emplace());
  }
  template <typename T, typename Take>
  void object(std::string_view name, T& value, Take take) {
    key(name);
    open();
    take(*this, value);
    close();
  }
  template <typename T, typename Take>
  void objects(std::string_view name, std::vector<T>& values, std::size_t most, Take take) {
    array(name, most, [&] {
      open();
      take(*this, values.emplace_back());
      close();
      return true;
    });
  }

  [[nodiscard]] Result<void> finish() const;

 private:
  [[nodiscard]] bool next_key_is(std::string_view name) const noexcept;
  bool expect(char c);
  [[nodiscard]] std::string_view take_quoted(std::string_view name);
  [[nodiscard]] std::uint64_t take_integer(std::string_view name, std::uint64_t most);
  // each() reads one item and says whether it has its form.
  template <typename Each>
  void array(std::string_view name, std::size_t most, Each each) {
    key(name);
    if (failed_) return;
    if (!expect('[')) return bad(name, "must be a list");
    if (expect(']')) return;
    for (std::size_t count = 0; !failed_; ++count) {
      if (count == most) return bad(name, "has too many items");
      if (!each()) return bad(name, "has an item of the wrong form");
      if (expect(']')) return;
      if (!expect(',')) return bad(name, "must be a list");
    }
  }
  void bad(std::string_view name, std::string_view what);

  std::string_view rest_;
  bool first_ = true;
  bool failed_ = false;
  std::string error_;
};

// The value of the top-level key "type", found without reading the rest; "" when there is none.
[[nodiscard]] std::string_view find_type(std::string_view text) noexcept;

}  // namespace candor::ledger::internal
