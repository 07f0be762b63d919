// Text of the kinds that scanners meet, made from a seed: prose, code, JSON logs, CSV, chat; at
// least 8 % digits. For the floor of cost (docs/formats/detector-packs.md) and the benchmark. Pure.
#pragma once

#include <cstdint>
#include <string>

namespace candor::dlp {

// A finding of some built-in detector about each `finding_every` bytes; 0: none on purpose.
[[nodiscard]] std::string sample_text(std::size_t bytes, std::uint64_t seed,
                                      std::size_t finding_every = 0);

}  // namespace candor::dlp
