// Reads src/ledger/testdata/, whose files were made by other tools than Candor.
#pragma once

#include <fstream>
#include <iterator>
#include <string>

#include "base/bytes.h"

namespace candor::ledger::testing {

[[nodiscard]] inline std::string known_text(const std::string& name) {
  std::ifstream in(std::string(LEDGER_TESTDATA) + "/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
[[nodiscard]] inline Bytes known_bytes(const std::string& name) {
  return to_bytes(as_bytes(known_text(name)));
}

}  // namespace candor::ledger::testing
