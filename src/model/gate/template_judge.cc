#include "model/gate.h"

namespace candor::model {

void judge_template(std::string_view text, std::string_view name, std::string_view family,
                    const GateLimits& limits, GateFindings& findings) {
  (void)family;
  if (text.size() > limits.max_template_bytes)
    findings.add("template.length", {.name = std::string(name)});
}

}  // namespace candor::model
