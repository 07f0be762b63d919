// Makers of the stages; each is described where it is defined.
#pragma once

#include <memory>

#include "dialect/dialect.h"
#include "gateway/pipeline.h"

namespace candor::gateway {

[[nodiscard]] std::unique_ptr<Stage> make_identity_stage();   // request_stages.cc
[[nodiscard]] std::unique_ptr<Stage> make_admission_stage();  // request_stages.cc
[[nodiscard]] std::unique_ptr<Stage> make_policy_stage();     // policy_stage.cc
[[nodiscard]] std::unique_ptr<Stage> make_budget_stage();     // budget_stage.cc
[[nodiscard]] std::unique_ptr<Stage> make_placement_stage();  // request_stages.cc
[[nodiscard]] std::unique_ptr<Stage> make_intent_stage();     // ledger_stages.cc
[[nodiscard]] std::unique_ptr<Stage> make_engine_stage();     // engine_stage.cc
[[nodiscard]] std::unique_ptr<Stage> make_guard_stage();      // guard_stage.cc
[[nodiscard]] std::unique_ptr<Stage> make_release_stage();    // ledger_stages.cc
[[nodiscard]] std::unique_ptr<Stage> make_outcome_stage();    // ledger_stages.cc

// What the caller hears of a chat template that may not go on (engine::blames_template).
[[nodiscard]] dialect::ErrorInfo template_error();  // engine_stage.cc

}  // namespace candor::gateway
