// One HTTP/1.1 request as the server hands it on.
#pragma once

#include <cstdint>
#include <string>

#include "base/sensitive.h"
#include "http/headers.h"

namespace candor::http {

enum class Method : std::uint8_t { kGet, kHead, kPost, kDelete, kOptions, kOther };

struct Request {
  Method method = Method::kOther;
  std::string path;   // percent-decoded, starts with '/', no controls, no encoded slash
  std::string query;  // raw, without '?'; may hold user text: never log it
  Headers headers;    // may hold credentials: never log a value
  Sensitive<std::string> body;
  int version = 11;  // 10 or 11
  bool keep_alive = true;
  bool over_tls = false;
  // The client's x-request-id if it is one (is_request_id), else 32 hex digits of ours. Echoed.
  std::string request_id;
};

}  // namespace candor::http
