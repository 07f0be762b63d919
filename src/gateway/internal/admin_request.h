// What each administrative verb gets.
#pragma once

#include <string>
#include <string_view>

#include "gateway/admin.h"

namespace candor::gateway {

struct Admin::Request {
  const http::Request& http;
  json::Object body;       // of a POST
  store::Subject actor;    // the user on the other end
  std::string actor_name;  // "uid:0"
};

[[nodiscard]] inline json::Value number(std::uint64_t value) { return json::Value(value); }

// A text of the body; "" if there is none.
[[nodiscard]] std::string optional_text(const json::Object& object, std::string_view key);

// What of an act is sealed beside its entry.
[[nodiscard]] Transcript sealed_field(std::string path, std::string_view text);

}  // namespace candor::gateway
