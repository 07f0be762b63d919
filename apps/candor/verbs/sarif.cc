#include "verbs/sarif.h"

#include "context.h"

namespace candor::cli {

std::string sarif_uri(std::string_view path) {
  std::string uri;
  while (true) {
    const std::size_t slash = path.find('/');
    uri += percent_encode(path.substr(0, slash));
    if (slash == std::string_view::npos) return uri;
    uri += '/';
    path.remove_prefix(slash + 1);
  }
}

json::Object sarif_document(std::string_view tool, std::string_view version, json::Array rules,
                            json::Array results) {
  json::Object driver;
  driver["name"] = std::string(tool);
  driver["version"] = std::string(version);
  driver["rules"] = std::move(rules);
  json::Object run;
  run["tool"] = json::Object{{"driver", std::move(driver)}};
  run["columnKind"] = "unicodeCodePoints";
  run["results"] = std::move(results);
  json::Object document;
  document["$schema"] =
      "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
  document["version"] = "2.1.0";
  document["runs"] = json::Array{std::move(run)};
  return document;
}

}  // namespace candor::cli
