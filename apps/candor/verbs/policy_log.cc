#include "verbs/policy_log.h"

#include "dlp/pack.h"

namespace candor::cli {

Result<gateway::DetectorsById> detectors_in_force(const Context& context) {
  gateway::DetectorsById out;
  std::vector<dlp::Pack> packs = TRY(dlp::builtin_packs());
  for (const Path& file : context.config().policy.detectors) {
    const std::string text = TRY(read_text_file(file, dlp::kMaxPackBytes));
    packs.push_back(TRY(dlp::parse_pack(text, file.string())));
  }
  for (dlp::Pack& pack : packs) {
    for (dlp::Detector& detector : pack.detectors) {
      out.insert_or_assign(detector.id, std::move(detector));
    }
  }
  return out;
}

gateway::NamesByPseudonym callers(const Context& context) {
  gateway::NamesByPseudonym names;
  const auto reply = admin_call(context, "GET", "/v1/callers");
  if (!reply) return names;
  for (const auto& member : object_of(*reply, "callers")) {
    if (member.value().is_string()) {
      names.emplace(std::string(member.key()), std::string(member.value().get_string()));
    }
  }
  return names;
}

}  // namespace candor::cli
