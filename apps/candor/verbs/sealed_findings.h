// What today's detectors find in sealed texts, for a replay (L8): read where the auditor's key is,
// kept as findings without any text.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "context.h"
#include "gateway/replay.h"

namespace candor::cli {

class SealedFindings {
 public:
  // Opens and reads all that this key can open. kDataLoss: a text is not what it was sealed as.
  [[nodiscard]] static Result<SealedFindings> read(const Context& context, const Path& sealed,
                                                   const std::filesystem::path& auditor_key);

  // Of the exchange that the entry is about; null where its texts are not at hand. kDataLoss: what
  // is sealed is not what the entry commits to.
  [[nodiscard]] Result<const gateway::FoundAgain*> of(const ledger::Entry& entry) const;
  // Records that could not be opened: erased, or sealed to others.
  [[nodiscard]] std::uint64_t unopened() const noexcept { return unopened_; }

 private:
  struct Exchange {
    gateway::FoundAgain found;
    std::vector<std::pair<std::string, Digest>> roots;  // by the transcript's name
  };
  std::map<Id128, Exchange> exchanges_;
  std::uint64_t unopened_ = 0;
};

}  // namespace candor::cli
