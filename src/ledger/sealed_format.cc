#include "ledger/sealed_format.h"

#include <unordered_map>

#include "crypto/hash.h"
#include "crypto/seal.h"

namespace candor::ledger {
namespace {

constexpr std::string_view kMagic = "CANDSEA1";
constexpr std::string_view kContextDomain("candor/v1/sealed\0", 17);
constexpr std::size_t kMaxTranscripts = 8;
constexpr std::size_t kMaxFields = 1U << 20U;
constexpr std::size_t kMaxNameBytes = 64;
constexpr std::size_t kMinSharedBytes = 16;  // a reference costs five bytes, a seal 44 more

enum class How : std::uint8_t { kNotKept = 0, kSealed = 1, kSameAs = 2 };

void put_u8(Bytes& out, std::size_t value) { out.push_back(static_cast<std::byte>(value)); }

void put_header(Bytes& out, SealAlgorithm algorithm, const Id128& id, std::size_t transcripts) {
  put_bytes(out, as_bytes(kMagic));
  put_u8(out, static_cast<std::size_t>(algorithm));
  put_u8(out, transcripts);
  put_u16(out, 0);
  put_bytes(out, id);
}

void put_transcript(Bytes& out, std::string_view name, std::size_t fields) {
  put_u8(out, name.size());
  put_bytes(out, as_bytes(name));
  put_u32(out, static_cast<std::uint32_t>(fields));
}

void put_field(Bytes& out, std::string_view path, const Digest& commitment, How how) {
  put_u16(out, static_cast<std::uint16_t>(path.size()));
  put_bytes(out, as_bytes(path));
  put_bytes(out, commitment);
  put_u8(out, static_cast<std::size_t>(how));
}

void put_sealed(Bytes& out, ByteView sealed) {
  put_u32(out, static_cast<std::uint32_t>(sealed.size()));
  put_bytes(out, sealed);
}

void put_same(Bytes& out, const SameAs& same) {
  put_u8(out, same.transcript);
  put_u32(out, same.field);
}

Result<void> check_bounds(std::size_t transcripts) {
  if (transcripts == 0 || transcripts > kMaxTranscripts) {
    return fail(Code::kInvalidArgument, "a sealed record of no or too many transcripts");
  }
  return {};
}

Result<void> check_bounds(std::string_view name, std::size_t fields) {
  if (name.empty() || name.size() > kMaxNameBytes || fields > kMaxFields) {
    return fail(Code::kInvalidArgument, "a sealed transcript with an odd name or too many fields");
  }
  return {};
}

// Does the reference name an earlier field that is itself sealed?
bool is_sound(const SealedRecord& record, const SameAs& same, std::size_t transcript,
              std::size_t field) {
  if (same.transcript > transcript || (same.transcript == transcript && same.field >= field)) {
    return false;
  }
  const auto& fields = record.transcripts[same.transcript].fields;
  return same.field < fields.size() && std::holds_alternative<Bytes>(fields[same.field].text);
}

}  // namespace

Result<Bytes> encode_sealed_record(const SealedRecord& record) {
  TRY(check_bounds(record.transcripts.size()));
  Bytes out;
  put_header(out, record.algorithm, record.id, record.transcripts.size());
  for (std::size_t t = 0; t < record.transcripts.size(); ++t) {
    const SealedTranscript& transcript = record.transcripts[t];
    TRY(check_bounds(transcript.name, transcript.fields.size()));
    put_transcript(out, transcript.name, transcript.fields.size());
    for (std::size_t f = 0; f < transcript.fields.size(); ++f) {
      const SealedField& field = transcript.fields[f];
      if (field.path.size() > UINT16_MAX) return fail(Code::kInvalidArgument, "a path too long");
      const How how = static_cast<How>(field.text.index());
      put_field(out, field.path, field.commitment, how);
      if (how == How::kSealed) {
        put_sealed(out, std::get<Bytes>(field.text));
      } else if (how == How::kSameAs) {
        const SameAs& same = std::get<SameAs>(field.text);
        if (!is_sound(record, same, t, f)) {
          return fail(Code::kInvalidArgument, "a reference to no earlier sealed field");
        }
        put_same(out, same);
      }
    }
  }
  if (out.size() > kMaxSealedRecordBytes) {
    return fail(Code::kResourceExhausted, "a sealed record above its bound");
  }
  return out;
}

Result<SealedRecord> decode_sealed_record(ByteView bytes) {
  const auto bad = [](const char* what) { return fail(Code::kInvalidArgument, what); };
  if (bytes.size() > kMaxSealedRecordBytes) return bad("a sealed record above its bound");
  ByteReader reader(bytes);
  if (as_text(TRY(reader.bytes(kMagic.size()))) != kMagic) return bad("not a sealed record");
  if (TRY(reader.u8()) != static_cast<std::uint8_t>(SealAlgorithm::kXChaCha20Poly1305)) {
    return bad("a sealed record under an unknown algorithm");
  }
  const std::uint8_t transcripts = TRY(reader.u8());
  if (TRY(reader.u16()) != 0) return bad("a sealed record with an odd header");
  TRY(check_bounds(transcripts));
  SealedRecord record;
  const ByteView id = TRY(reader.bytes(record.id.size()));
  std::copy(id.begin(), id.end(), record.id.begin());
  for (std::size_t t = 0; t < transcripts; ++t) {
    SealedTranscript& transcript = record.transcripts.emplace_back();
    const std::uint8_t name_size = TRY(reader.u8());
    transcript.name = as_text(TRY(reader.bytes(name_size)));
    const std::uint32_t fields = TRY(reader.u32());
    TRY(check_bounds(transcript.name, fields));
    for (std::size_t f = 0; f < fields; ++f) {
      SealedField& field = transcript.fields.emplace_back();
      const std::uint16_t path_size = TRY(reader.u16());
      field.path = as_text(TRY(reader.bytes(path_size)));
      field.commitment = TRY(reader.digest());
      switch (static_cast<How>(TRY(reader.u8()))) {
        case How::kNotKept: break;
        case How::kSealed: {
          const std::uint32_t size = TRY(reader.u32());
          field.text = to_bytes(TRY(reader.bytes(size)));
          break;
        }
        case How::kSameAs: {
          SameAs same;
          same.transcript = TRY(reader.u8());
          same.field = TRY(reader.u32());
          if (!is_sound(record, same, t, f)) return bad("a reference to no earlier sealed field");
          field.text = same;
          break;
        }
        default: return bad("a sealed field of an unknown kind");
      }
    }
  }
  if (reader.remaining() != 0) return bad("bytes after the sealed record");
  return record;
}

Bytes sealed_field_context(const Id128& id, std::string_view transcript, std::string_view path) {
  Bytes out = to_bytes(as_bytes(kContextDomain));
  put_bytes(out, id);
  put_u32(out, static_cast<std::uint32_t>(transcript.size()));
  put_bytes(out, as_bytes(transcript));
  put_u32(out, static_cast<std::uint32_t>(path.size()));
  put_bytes(out, as_bytes(path));
  return out;
}

Result<Bytes> seal_exchange(const Root& root, const Id128& id, std::span<const SealInput> inputs,
                            Random& random) {
  TRY(check_bounds(inputs.size()));
  Bytes out;
  put_header(out, SealAlgorithm::kXChaCha20Poly1305, id, inputs.size());
  std::unordered_map<std::string_view, SameAs> seen;
  for (std::size_t t = 0; t < inputs.size(); ++t) {
    const SealInput& input = inputs[t];
    const Transcript& transcript = *input.transcript;
    TRY(check_bounds(input.name, transcript.size()));
    if (input.commitment->fields.size() != transcript.size()) {
      return fail(Code::kInternal, "a transcript and its commitment differ in length");
    }
    put_transcript(out, input.name, transcript.size());
    for (std::size_t f = 0; f < transcript.size(); ++f) {
      const TranscriptField& field = transcript[f];
      const std::string_view text = field.text.reveal();
      if (field.path.size() > UINT16_MAX) return fail(Code::kInvalidArgument, "a path too long");
      if (text.size() > kMaxSealedRecordBytes - out.size()) {
        return fail(Code::kResourceExhausted, "a sealed record above its bound");
      }
      const Digest& commitment = input.commitment->fields[f].value;
      if (text.size() >= kMinSharedBytes) {
        const SameAs here{.transcript = static_cast<std::uint32_t>(t),
                          .field = static_cast<std::uint32_t>(f)};
        if (const auto [same, added] = seen.emplace(text, here); !added) {
          put_field(out, field.path, commitment, How::kSameAs);
          put_same(out, same->second);
          continue;
        }
      }
      put_field(out, field.path, commitment, How::kSealed);
      const Sensitive<Digest> key = content_key(root, input.name, field.path);
      put_sealed(out, crypto::seal(key.reveal(), as_bytes(text),
                                   sealed_field_context(id, input.name, field.path), random));
    }
  }
  if (out.size() > kMaxSealedRecordBytes) {
    return fail(Code::kResourceExhausted, "a sealed record above its bound");
  }
  return out;
}

Result<std::vector<OpenedTranscript>> open_sealed_record(const SealedRecord& record,
                                                         const Root& root) {
  return open_sealed_record(record, [&](std::string_view transcript, std::string_view path) {
    return std::optional(
        FieldSecrets{.content = content_key(root, transcript, path),
                     .opening = field_opening(opening_key(root, transcript), path)});
  });
}

Result<std::vector<OpenedTranscript>> open_sealed_record(const SealedRecord& record,
                                                         const SecretsOf& secrets) {
  std::vector<OpenedTranscript> out;
  for (std::size_t t = 0; t < record.transcripts.size(); ++t) {
    const SealedTranscript& transcript = record.transcripts[t];
    OpenedTranscript opened{.name = transcript.name, .texts = {}};
    for (std::size_t f = 0; f < transcript.fields.size(); ++f) {
      const SealedField& field = transcript.fields[f];
      const auto broken = [&](const char* what) {
        return fail(Code::kDataLoss, transcript.name + " " + field.path + ": " + what);
      };
      const std::optional<FieldSecrets> keys = secrets(transcript.name, field.path);
      std::optional<Sensitive<std::string>> text;
      if (!keys) {
        opened.texts.emplace_back();
        continue;
      }
      if (const auto* sealed = std::get_if<Bytes>(&field.text)) {
        const auto plain =
            crypto::open(keys->content.reveal(), *sealed,
                         sealed_field_context(record.id, transcript.name, field.path));
        if (!plain) return broken("the sealed text does not open");
        text.emplace(std::string(as_text(plain->reveal())));
      } else if (const auto* same = std::get_if<SameAs>(&field.text)) {
        if (!is_sound(record, *same, t, f)) return broken("refers to no earlier sealed field");
        text = same->transcript == t ? opened.texts[same->field]
                                     : out[same->transcript].texts[same->field];
      }
      if (text && commit_field_opened(keys->opening, record.id, transcript.name, field.path,
                                      text->reveal()) != field.commitment) {
        return broken("the sealed text is not the one committed to");
      }
      opened.texts.push_back(std::move(text));
    }
    out.push_back(std::move(opened));
  }
  return out;
}

}  // namespace candor::ledger
