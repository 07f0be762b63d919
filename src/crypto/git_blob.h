// Git's name of a file's content: SHA-1 (FIPS 180-4) over "blob <size>\0" and the bytes (git's
// hash-object). SHA-1 is broken against who makes two files of one name (Stevens et al. 2017): this
// shows damage on the way, never who made the bytes. From OpenSSL. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.h"

namespace candor::crypto {

class GitBlobId {
 public:
  explicit GitBlobId(std::uint64_t size);
  GitBlobId(const GitBlobId&) = delete;
  GitBlobId& operator=(const GitBlobId&) = delete;
  ~GitBlobId();
  void update(ByteView data);
  [[nodiscard]] std::string finish();  // 40 hex digits; once

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace candor::crypto
