#include "store/internal/key_wraps.h"

#include <algorithm>

#include "crypto/seal.h"

namespace candor::store {
namespace {

constexpr std::string_view kRootContext("candor/v1/root\0", 15);
constexpr std::string_view kPairContext("candor/v1/openings\0", 19);

Bytes context(std::string_view label, const Id128& id) {
  Bytes out = to_bytes(as_bytes(label));
  put_bytes(out, id);
  return out;
}

}  // namespace

Bytes wrap_root(const Sensitive<Digest>& epoch_key, const Id128& id, const ledger::Root& root,
                Random& random) {
  return crypto::seal(epoch_key.reveal(), root.reveal(), context(kRootContext, id), random);
}

Result<ledger::Root> unwrap_root(const Sensitive<Digest>& epoch_key, const Id128& id,
                                 ByteView wrap) {
  const auto plain = TRY(crypto::open(epoch_key.reveal(), wrap, context(kRootContext, id)));
  Digest root{};
  if (plain.reveal().size() != root.size()) {
    return fail(Code::kDataLoss, "a wrapped root of an odd length");
  }
  std::ranges::copy(plain.reveal(), root.begin());
  return ledger::Root(root);
}

Bytes wrap_pair(const Sensitive<Digest>& local_key, const Id128& id, const KeyPair& pair,
                Random& random) {
  Sensitive<std::array<std::byte, 64>> both;
  std::ranges::copy(pair.first.reveal(), both.reveal().begin());
  std::ranges::copy(pair.second.reveal(), both.reveal().begin() + 32);
  return crypto::seal(local_key.reveal(), both.reveal(), context(kPairContext, id), random);
}

Result<KeyPair> unwrap_pair(const Sensitive<Digest>& local_key, const Id128& id, ByteView wrap) {
  const auto plain = TRY(crypto::open(local_key.reveal(), wrap, context(kPairContext, id)));
  if (plain.reveal().size() != 64) return fail(Code::kDataLoss, "wrapped keys of an odd length");
  KeyPair pair;
  std::copy_n(plain.reveal().begin(), 32, pair.first.reveal().begin());
  std::copy_n(plain.reveal().begin() + 32, 32, pair.second.reveal().begin());
  return pair;
}

}  // namespace candor::store
