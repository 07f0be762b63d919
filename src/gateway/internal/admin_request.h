// What each administrative verb gets.
#pragma once

#include "gateway/admin.h"

namespace candor::gateway {

struct Admin::Request {
  const http::Request& http;
  json::Object body;       // of a POST
  store::Subject actor;    // the user on the other end
  std::string actor_name;  // "uid:0"
};

}  // namespace candor::gateway
