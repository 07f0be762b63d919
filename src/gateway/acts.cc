#include "gateway/acts.h"

#include "base/log.h"
#include "gateway/workers.h"
#include "store/store.h"

namespace candor::gateway {

http::Task<Result<std::uint64_t>> record_act(Services& services, const store::Subject& actor,
                                             Act act) {
  ledger::Admin entry;
  entry.at = services.stamp();
  entry.act = make_id(services.random);
  entry.verb = std::move(act.verb);
  entry.actor = actor.pseudonym;
  entry.object = std::move(act.object);
  entry.result = std::move(act.result);
  act.more.insert(act.more.begin(), {"reason", Sensitive<std::string>(std::move(act.reason))});
  auto note = co_await off_thread(services.workers, [&, id = entry.act] {
    return store::seal_note(services.keys, id, actor.id, act.more);
  });
  if (!note) co_return std::unexpected(note.error());
  entry.reason = note->commitment;
  auto text = CO_TRY(ledger::encode(entry));
  const auto acknowledged = co_await services.acks.append({.entry = std::move(text),
                                                           .aux = std::move(note->aux),
                                                           .priority = store::Priority::kNormal,
                                                           .mark = {}});
  if (!acknowledged) co_return std::unexpected(acknowledged.error());
  log_info("admin.act", {{"verb", Label(entry.verb)}, {"index", acknowledged->index}});
  co_return acknowledged->index;
}

}  // namespace candor::gateway
