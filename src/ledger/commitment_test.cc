#include "ledger/commitment.h"

#include <gtest/gtest.h>

#include "base/testing/result_matchers.h"
#include "json/json.h"
#include "ledger/testing/known_answers.h"

namespace candor::ledger {
namespace {

std::string text_of(const json::Value& value) { return std::string(value.as_string()); }

TEST(CommitmentTest, S2_KnownAnswersOfAnIndependentToolAreMet) {
  const auto value = json::parse(testing::known_text("commitments-v1.json"));
  ASSERT_OK(value);
  const json::Object& known = value->as_object();
  const Root root(*digest_from_hex(text_of(known.at("root"))));
  const Bytes id_bytes = *from_hex(text_of(known.at("id")));
  Id128 id;
  std::copy(id_bytes.begin(), id_bytes.end(), id.begin());
  std::size_t fields_seen = 0;
  for (const json::Value& item : known.at("transcripts").as_array()) {
    const json::Object& t = item.as_object();
    const std::string name = text_of(t.at("name"));
    SCOPED_TRACE(name);
    Transcript transcript;
    for (const json::Value& field : t.at("fields").as_array()) {
      transcript.push_back({.path = text_of(field.at("path")),
                            .text = Sensitive<std::string>(text_of(field.at("text")))});
    }
    const OpeningKey key = opening_key(root, name);
    EXPECT_EQ(to_hex(key.reveal()), text_of(t.at("opening_key")));
    const TranscriptCommitment made = commit(key, id, name, transcript);
    ASSERT_EQ(made.fields.size(), transcript.size());
    for (std::size_t i = 0; i < made.fields.size(); ++i) {
      const json::Value& field = t.at("fields").as_array()[i];
      EXPECT_EQ(made.fields[i].path, transcript[i].path);
      EXPECT_EQ(to_hex(made.fields[i].value), text_of(field.at("commitment")));
      EXPECT_EQ(to_hex(content_key(root, name, transcript[i].path).reveal()),
                text_of(field.at("content_key")));
      ++fields_seen;
    }
    EXPECT_EQ(to_hex(made.root), text_of(t.at("commitment")));
    EXPECT_EQ(made.root, commitment_root(made.fields));
  }
  EXPECT_EQ(fields_seen, 6U);
}

TEST(CommitmentTest, S2_TextPathNameIdAndKeyAllBind) {
  const OpeningKey key = opening_key(Root(Digest{}), "note");
  Id128 id{};
  const Digest base = commit_field(key, id, "note", "reason", "text");
  EXPECT_NE(base, commit_field(key, id, "note", "reason", "text "));
  EXPECT_NE(base, commit_field(key, id, "note", "name", "text"));
  EXPECT_NE(base, commit_field(key, id, "not", "reason", "text"));
  EXPECT_NE(base, commit_field(opening_key(Root(Digest{}), "other"), id, "note", "reason", "text"));
  id[3] = std::byte{1};
  EXPECT_NE(base, commit_field(key, id, "note", "reason", "text"));
  // Lengths are part of the message, so no two splits of one string are alike.
  EXPECT_NE(commit_field(key, id, "ab", "c", "d"), commit_field(key, id, "a", "bc", "d"));
}

}  // namespace
}  // namespace candor::ledger
