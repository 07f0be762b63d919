#include "store/internal/signer_packets.h"

#include <array>
#include <span>
#include <string>
#include <vector>

namespace candor::store {
namespace {

constexpr std::uint8_t kMaxProof = 128;

Result<void> nothing_left(const ByteReader& reader) {
  if (reader.remaining() == 0) return {};
  return fail(Code::kInvalidArgument, "bytes after the request");
}

Bytes encode_log_keys(const LogKeys& keys) {
  Bytes out;
  out.push_back(static_cast<std::byte>(keys.keys.size()));
  for (const ledger::VerifierKey& key : keys.keys) put_bytes(out, key.key);
  if (keys.change) {
    put_u64(out, keys.change->index);
    put_u64(out, keys.change->overlap_until);
  }
  put_bytes(out, as_bytes(keys.keys.front().name));
  return out;
}

Result<Bytes> answer_sign(SignerCore& core, ByteReader& reader) {
  SignRequest request;
  request.old_size = TRY(reader.u64());
  request.new_size = TRY(reader.u64());
  request.new_root = TRY(reader.digest());
  request.flushed_size = TRY(reader.u64());
  const std::uint8_t count = TRY(reader.u8());
  if (count > kMaxProof) return fail(Code::kInvalidArgument, "a proof above its bound");
  std::array<Digest, kMaxProof> proof;
  for (std::uint8_t i = 0; i < count; ++i) proof.at(i) = TRY(reader.digest());
  TRY(nothing_left(reader));
  request.proof = std::span(proof).first(count);
  return to_bytes(as_bytes(TRY(core.sign(request))));
}

Result<Bytes> answer_change(SignerCore& core, ByteReader& reader) {
  KeyChangeAt change;
  change.index = TRY(reader.u64());
  change.overlap_until = TRY(reader.u64());
  TRY(nothing_left(reader));
  TRY(core.change_key(change));
  return encode_log_keys(core.keys());
}

Result<Bytes> answer_to(SignerCore& core, char request, ByteView body) {
  ByteReader reader(body);
  switch (request) {
    case 'O':
      TRY(core.take_last_head(as_text(body)));
      TRY(core.sync_state());
      return encode_log_keys(core.keys());
    case 'S': return answer_sign(core, reader);
    case 'C': {
      const std::uint64_t size = TRY(reader.u64());
      TRY(nothing_left(reader));
      TRY(core.note_flushed(size));
      TRY(core.sync_state());
      return Bytes();
    }
    case 'K': return answer_change(core, reader);
    case 'D':
      TRY(nothing_left(reader));
      TRY(core.drop_old_key());
      return encode_log_keys(core.keys());
    case 'X': TRY(core.replace_log(as_text(body))); return encode_log_keys(core.keys());
    default: return fail(Code::kInvalidArgument, "an unknown request");
  }
}

}  // namespace

Bytes answer_signer_packet(SignerCore& core, ByteView packet) {
  const auto answer = answer_to(core, static_cast<char>(packet[0]), packet.subspan(1));
  Bytes out;
  if (answer) {
    out.reserve(1 + answer->size());
    out.push_back(std::byte{0});
    put_bytes(out, *answer);
  } else {
    out.push_back(static_cast<std::byte>(1 + static_cast<unsigned>(answer.error().code())));
    put_bytes(out, as_bytes(answer.error().message()));
  }
  return out;
}

Result<LogKeys> decode_log_keys(ByteView bytes) {
  ByteReader reader(bytes);
  const std::uint8_t count = TRY(reader.u8());
  if (count != 1 && count != 2) return fail(Code::kInvalidArgument, "the signer has odd keys");
  std::vector<Digest> keys;
  for (std::uint8_t i = 0; i < count; ++i) keys.push_back(TRY(reader.digest()));
  LogKeys out;
  if (count == 2) {
    KeyChangeAt change;
    change.index = TRY(reader.u64());
    change.overlap_until = TRY(reader.u64());
    out.change = change;
  }
  const std::string origin(as_text(TRY(reader.bytes(reader.remaining()))));
  if (!ledger::is_key_name(origin)) {
    return fail(Code::kInvalidArgument, "the signer names an impossible origin");
  }
  for (const Digest& key : keys) out.keys.push_back(ledger::log_verifier_key(origin, key));
  return out;
}

}  // namespace candor::store
