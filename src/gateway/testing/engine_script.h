// What a fake engine does on its end of a connection, out of a fuzzer's bytes (S16, B9): mostly the
// protocol of llama-server v0.5.0, cut anywhere and spelled in every lawful way; and lies of each
// kind, in events, in HTTP and in time.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <fuzzer/FuzzedDataProvider.h>

#include "dialect/exchange.h"

namespace candor::gateway {

struct EngineAction {
  enum class Kind : std::uint8_t {
    kSend,
    kPause,   // time goes by; the reader's deadlines are looked at
    kCancel,  // the reader's side gives up
    kClose,   // no more is sent; the end of a script closes as well
  };
  Kind kind = Kind::kSend;
  std::string bytes = {};
  std::chrono::milliseconds pause{0};
};

struct EngineScript {
  std::vector<EngineAction> actions;
  // True: the protocol to the letter, within every bound, nobody gives up. Then the answer has to
  // come through whole and say `said`.
  bool lawful = true;
  dialect::Answer said;
};

// Deadlines of the requests that such engines get; a pause is lawful below kScriptIdle.
inline constexpr std::chrono::milliseconds kScriptFirstByte{10'000};
inline constexpr std::chrono::milliseconds kScriptIdle{1'000};
inline constexpr std::chrono::milliseconds kScriptTotal{60'000};

// Stands in all that must not come through: the engine's own names, ids, errors, unknown fields.
inline constexpr std::string_view kEngineCanary = "QQengineQQ";

// events: as a stream. Needs forwarded.parameters.max_tokens.
[[nodiscard]] EngineScript make_engine_script(FuzzedDataProvider& data,
                                              const dialect::Exchange& forwarded, bool events);

}  // namespace candor::gateway
