#include "gateway/pipeline.h"

#include "base/check.h"
#include "gateway/internal/stages.h"

namespace candor::gateway {

Task<Verdict> Stage::on_request(Session& /*session*/) { co_return Verdict::kContinue; }
Task<Verdict> Stage::on_answer(Session& /*session*/, Events& /*events*/) {
  co_return Verdict::kContinue;
}
Task<Verdict> Stage::on_answer_end(Session& /*session*/, Events& /*events*/) {
  co_return Verdict::kContinue;
}
Task<void> Stage::on_end(Session& /*session*/) { co_return; }

Pipeline::Pipeline(std::vector<std::unique_ptr<Stage>> stages) : stages_(std::move(stages)) {
  for (const auto& stage : stages_) {
    const std::uint8_t phases = stage->phases();
    const auto wants = [phases](Phase phase) {
      return (phases & static_cast<std::uint8_t>(phase)) != 0;
    };
    if (wants(Phase::kRequest)) request_.push_back(stage.get());
    if (wants(Phase::kAnswer)) answer_.push_back(stage.get());
    if (wants(Phase::kEnd)) end_.push_back(stage.get());
  }
}

Pipeline standard_pipeline() {
  std::vector<std::unique_ptr<Stage>> stages;
  stages.push_back(make_identity_stage());
  stages.push_back(make_admission_stage());
  stages.push_back(make_policy_stage());
  stages.push_back(make_budget_stage());
  stages.push_back(make_placement_stage());
  stages.push_back(make_intent_stage());
  stages.push_back(make_engine_stage());
  stages.push_back(make_guard_stage());
  stages.push_back(make_release_stage());
  stages.push_back(make_outcome_stage());
  return Pipeline(std::move(stages));
}

}  // namespace candor::gateway
