// Every text of a request by its path in the transcript (docs/formats/transcript.md), for whoever
// reads them all or rewrites some (DLP, C4). A text that is not listed here is a leak: a test holds
// the list against request_transcript().
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dialect/exchange.h"

namespace candor::dialect {

struct ExchangeText {
  enum class Kind : std::uint8_t {
    kProse,
    kJson,   // an object in canonical form: the arguments of a call
    kFixed,  // names, schemas, stop sequences: what they say cannot be rewritten
  };
  std::string path;
  std::string* value = nullptr;  // of the exchange, which must outlive this
  Kind kind = Kind::kProse;
  // The next text follows this one in what the model reads, with nothing or little between them.
  bool goes_on = false;
};

[[nodiscard]] std::vector<ExchangeText> texts_of(Exchange& exchange);

}  // namespace candor::dialect
