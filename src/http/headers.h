// HTTP header fields (RFC 9110 section 5) and the few values the server itself reads. Names are
// compared without case. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace candor::http {

// Fields in order of arrival, in one block of memory. Views live until the next add() or clear().
class Headers {
 public:
  Headers() = default;
  Headers(std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
    for (const auto& [name, value] : fields) add(name, value);
  }
  void add(std::string_view name, std::string_view value);
  void clear() noexcept;
  // The first value of a name, or nothing. O(fields).
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;
  [[nodiscard]] std::size_t count(std::string_view name) const noexcept;
  [[nodiscard]] std::size_t size() const noexcept { return spans_.size(); }
  [[nodiscard]] std::pair<std::string_view, std::string_view> at(std::size_t index) const;

 private:
  struct Span {
    std::uint32_t name_at, name_size, value_size;  // the value follows the name
  };
  std::string text_;
  std::vector<Span> spans_;
};

[[nodiscard]] bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept;

// RFC 9110 section 5.6.2 token, and a field value without controls but tab (so no line break).
[[nodiscard]] bool is_token(std::string_view text) noexcept;
[[nodiscard]] bool is_field_value(std::string_view text) noexcept;

// An id that a client may choose for its request (x-request-id): [A-Za-z0-9._:-], 1 to 128 bytes.
[[nodiscard]] bool is_request_id(std::string_view text) noexcept;

// The media type of a Content-Type value without its parameters, lower case ("application/json").
[[nodiscard]] std::string media_type(std::string_view content_type);

// The token of "Authorization: Bearer TOKEN" (RFC 6750), or nothing if the value is anything else.
[[nodiscard]] std::optional<std::string_view> bearer_token(std::string_view authorization) noexcept;

// Percent-decoding of a path (RFC 3986 section 2.1). kInvalidArgument for a broken escape, a NUL, a
// control or an encoded slash: no route of ours needs them.
[[nodiscard]] Result<std::string> decode_path(std::string_view path);

// The reason phrase; "Unknown" for a status that Candor never sends.
[[nodiscard]] std::string_view reason_phrase(int status) noexcept;

}  // namespace candor::http
