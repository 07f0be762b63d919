#include "ledger/tlog_proof.h"

#include "base/text.h"

namespace candor::ledger {
namespace {

constexpr std::string_view kHeader = "c2sp.org/tlog-proof@v1\n";
constexpr std::size_t kMaxHashes = 63;

}  // namespace

std::string format_tlog_proof(const TlogProof& proof) {
  std::string out(kHeader);
  if (proof.extra) {
    out += "extra ";
    out += to_base64(*proof.extra);
    out += '\n';
  }
  out += "index ";
  out += std::to_string(proof.index);
  out += '\n';
  for (const Digest& hash : proof.hashes) {
    out += to_base64(hash);
    out += '\n';
  }
  out += '\n';
  out += proof.checkpoint;
  return out;
}

Result<TlogProof> parse_tlog_proof(std::string_view text) {
  const auto bad = [](const char* what) { return fail(Code::kInvalidArgument, what); };
  if (text.size() > kMaxTlogProofBytes) return bad("a proof above 4 MiB");
  if (!text.starts_with(kHeader)) return bad("not a tlog-proof@v1");
  text.remove_prefix(kHeader.size());
  const auto take_line = [&](std::string_view& line) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return false;
    line = text.substr(0, end);
    text.remove_prefix(end + 1);
    return true;
  };
  TlogProof proof;
  std::string_view line;
  if (!take_line(line)) return bad("a proof without an index");
  if (line.starts_with("extra ")) {
    proof.extra = TRY(from_base64(line.substr(6)));
    if (!take_line(line)) return bad("a proof without an index");
  }
  if (!line.starts_with("index ")) return bad("a proof without an index");
  proof.index = TRY(parse_decimal(line.substr(6)));
  while (true) {
    if (!take_line(line)) return bad("a proof without a checkpoint");
    if (line.empty()) break;
    if (proof.hashes.size() == kMaxHashes) return bad("a proof with too many hashes");
    proof.hashes.push_back(TRY(digest_from_base64(line)));
  }
  if (text.empty()) return bad("a proof without a checkpoint");
  proof.checkpoint = text;
  return proof;
}

}  // namespace candor::ledger
