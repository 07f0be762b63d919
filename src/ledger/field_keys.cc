#include "ledger/field_keys.h"

#include <algorithm>
#include <set>

#include "crypto/seal.h"

namespace candor::ledger {
namespace {

constexpr std::string_view kMagic = "CANDFLD1";
constexpr std::string_view kContext("candor/v1/fields\0", 17);
constexpr std::uint8_t kAlgorithm = 1;
constexpr std::size_t kMaxKeys = 1U << 20U;

using Place = std::pair<std::size_t, std::size_t>;  // transcript, field

// Fields whose text is erased: those named, and those that share a sealed text with one of them.
std::set<Place> erased_places(const SealedRecord& record, const std::vector<std::string>& paths) {
  // Where the text of a field stands.
  const auto text_of = [&](std::size_t t, std::size_t f) {
    const auto* same = std::get_if<SameAs>(&record.transcripts[t].fields[f].text);
    return same != nullptr ? Place(same->transcript, same->field) : Place(t, f);
  };
  const auto each = [&](const auto& visit) {
    for (std::size_t t = 0; t < record.transcripts.size(); ++t) {
      for (std::size_t f = 0; f < record.transcripts[t].fields.size(); ++f) visit(t, f);
    }
  };
  std::set<Place> texts;
  each([&](std::size_t t, std::size_t f) {
    if (std::ranges::find(paths, record.transcripts[t].fields[f].path) != paths.end()) {
      texts.insert(text_of(t, f));
    }
  });
  std::set<Place> places;
  each([&](std::size_t t, std::size_t f) {
    if (texts.contains(text_of(t, f))) places.emplace(t, f);
  });
  return places;
}

template <typename Keys>
std::vector<FieldKeys> others(const SealedRecord& record, const std::vector<std::string>& paths,
                              const Keys& keys_of) {
  const std::set<Place> erased = erased_places(record, paths);
  std::vector<FieldKeys> out;
  for (std::size_t t = 0; t < record.transcripts.size(); ++t) {
    for (std::size_t f = 0; f < record.transcripts[t].fields.size(); ++f) {
      if (erased.contains(Place(t, f))) continue;
      if (auto keys = keys_of(record.transcripts[t].name, record.transcripts[t].fields[f].path)) {
        out.push_back(*std::move(keys));
      }
    }
  }
  return out;
}

void put_name(Bytes& out, std::string_view name) {
  put_u16(out, static_cast<std::uint16_t>(name.size()));
  put_bytes(out, as_bytes(name));
}

Bytes context_of(const Id128& id) {
  Bytes context = to_bytes(as_bytes(kContext));
  put_bytes(context, id);
  return context;
}

const FieldKeys* find(const std::vector<FieldKeys>& keys, std::string_view transcript,
                      std::string_view path) {
  const auto found = std::ranges::find_if(
      keys, [&](const FieldKeys& one) { return one.transcript == transcript && one.path == path; });
  return found == keys.end() ? nullptr : &*found;
}

}  // namespace

std::vector<std::string> transcripts_touched(const SealedRecord& record,
                                             const std::vector<std::string>& paths) {
  std::vector<std::string> names;
  for (const Place& place : erased_places(record, paths)) {
    const std::string& name = record.transcripts[place.first].name;
    if (names.empty() || names.back() != name) names.push_back(name);
  }
  return names;
}

std::vector<FieldKeys> keys_without(const SealedRecord& record, const Root& root,
                                    const std::vector<std::string>& erased_paths) {
  return others(record, erased_paths, [&](const std::string& transcript, const std::string& path) {
    return std::optional(FieldKeys{.transcript = transcript,
                                   .path = path,
                                   .content = content_key(root, transcript, path),
                                   .opening = field_opening(opening_key(root, transcript), path)});
  });
}

std::vector<FieldKeys> keys_without(const SealedRecord& record, const std::vector<FieldKeys>& left,
                                    const std::vector<std::string>& erased_paths) {
  return others(record, erased_paths, [&](const std::string& transcript, const std::string& path) {
    const FieldKeys* keys = find(left, transcript, path);
    return keys == nullptr ? std::nullopt : std::optional(*keys);
  });
}

Bytes encode_field_keys(const Id128& id, const Sensitive<Digest>& key,
                        const std::vector<FieldKeys>& keys, Random& random) {
  Sensitive<Bytes> plain;
  put_u32(plain.reveal(), static_cast<std::uint32_t>(keys.size()));
  for (const FieldKeys& field : keys) {
    put_name(plain.reveal(), field.transcript);
    put_name(plain.reveal(), field.path);
    put_bytes(plain.reveal(), field.content.reveal());
    put_bytes(plain.reveal(), field.opening.reveal());
  }
  Bytes out = to_bytes(as_bytes(kMagic));
  put_u32(out, std::uint32_t{kAlgorithm} << 24U);
  put_bytes(out, id);
  put_bytes(out, crypto::seal(key.reveal(), plain.reveal(), context_of(id), random));
  return out;
}

Result<std::vector<FieldKeys>> decode_field_keys(ByteView file, const Id128& id,
                                                 const Sensitive<Digest>& key) {
  const auto bad = [](const char* what) { return fail(Code::kInvalidArgument, what); };
  ByteReader head(file);
  if (as_text(TRY(head.bytes(kMagic.size()))) != kMagic) return bad("not a file of field keys");
  if (TRY(head.u32()) != std::uint32_t{kAlgorithm} << 24U) {
    return bad("field keys under an unknown algorithm");
  }
  if (!std::ranges::equal(TRY(head.bytes(id.size())), id)) {
    return bad("field keys of another exchange");
  }
  const auto plain = TRY(crypto::open(key.reveal(), file.last(head.remaining()), context_of(id)));
  ByteReader reader(plain.reveal());
  const std::uint32_t count = TRY(reader.u32());
  if (count > kMaxKeys) return bad("too many field keys");
  std::vector<FieldKeys> keys;
  for (std::uint32_t i = 0; i < count; ++i) {
    FieldKeys field;
    const std::uint16_t name_size = TRY(reader.u16());
    field.transcript = as_text(TRY(reader.bytes(name_size)));
    const std::uint16_t path_size = TRY(reader.u16());
    field.path = as_text(TRY(reader.bytes(path_size)));
    field.content = Sensitive<Digest>(TRY(reader.digest()));
    field.opening = Sensitive<Digest>(TRY(reader.digest()));
    keys.push_back(std::move(field));
  }
  if (reader.remaining() != 0) return bad("bytes after the field keys");
  return keys;
}

Result<std::vector<OpenedTranscript>> open_sealed_record(const SealedRecord& record,
                                                         const std::vector<FieldKeys>& keys) {
  return open_sealed_record(
      record,
      [&](std::string_view transcript, std::string_view path) -> std::optional<FieldSecrets> {
        const FieldKeys* found = find(keys, transcript, path);
        if (found == nullptr) return std::nullopt;
        return FieldSecrets{.content = found->content, .opening = found->opening};
      });
}

}  // namespace candor::ledger
