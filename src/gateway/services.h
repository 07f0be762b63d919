// What every exchange of one gateway shares. io thread only, but for what says otherwise. All
// members outlive the gateway's exchanges; the gateway owns none of the referenced objects.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include <boost/asio/thread_pool.hpp>

#include "base/clock.h"
#include "gateway/acks.h"
#include "gateway/budgets.h"
#include "gateway/decision_point.h"
#include "gateway/engines.h"
#include "gateway/exceptions.h"
#include "gateway/fair_queue.h"
#include "gateway/halts.h"
#include "gateway/metrics.h"
#include "gateway/oidc_keys.h"
#include "gateway/os_groups.h"
#include "gateway/quotas.h"
#include "gateway/refusals.h"
#include "gateway/registered_hits.h"
#include "gateway/rulebook.h"
#include "gateway/settings.h"
#include "http/task.h"
#include "store/key_ring.h"
#include "store/ledger.h"
#include "store/state_db.h"

namespace candor::gateway {

struct Services {
  http::asio::io_context& io;
  http::asio::thread_pool& workers;
  Clock& clock;
  Random& random;
  store::Ledger& ledger;
  store::KeyRing& keys;
  store::StateDb& state;
  Stamper stamp;
  AckQueue& acks;
  EngineBackend& engines;
  Refusals& refusals;
  Metrics& metrics;
  std::shared_ptr<const Settings> settings;
  // Subjects seen in this run. Cleared when one is erased.
  std::unordered_map<std::string, store::Subject> subjects;
  // Turns at each model.
  std::map<std::string, std::shared_ptr<FairQueue>, std::less<>> queues;
  Quotas quotas;
  Halts halts;
  Exceptions exceptions;
  RegisteredHits registered_hits;
  std::shared_ptr<const Rulebook> rulebook;  // null: no policy is in force
  OsGroups os_groups;
  Budgets budgets;
  std::shared_ptr<DecisionPoint> decision_point;  // null: nobody else is asked
  std::shared_ptr<OidcKeys> oidc;                 // null: no sign-in tokens are taken
  bool draining = false;
};

// The subject of a name, from memory or (first seen: two flushes) off the io thread.
[[nodiscard]] http::Task<Result<store::Subject>> subject_of(Services& services, std::string name);

}  // namespace candor::gateway
