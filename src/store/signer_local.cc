#include <optional>

#include "store/internal/signer_core.h"
#include "store/signer.h"

namespace candor::store {
namespace {

constexpr std::int64_t kSyncEveryUs = 1'000'000;

class LocalSigner final : public Signer {
 public:
  LocalSigner(std::unique_ptr<SignerCore> core, Clock& clock)
      : core_(std::move(core)), clock_(clock), synced_us_(clock.mono_us()) {}

  const LogKeys& keys() const override { return core_->keys(); }
  Result<void> open(std::string_view last_head) override {
    TRY(core_->take_last_head(last_head));
    return core_->sync_state();
  }
  Result<void> begin(const SignRequest& request) override {
    answer_ = core_->sign(request);
    return {};
  }
  Result<std::string> finish() override {
    if (!answer_) return fail(Code::kInternal, "no signature was asked for");
    Result<std::string> answer = *std::move(answer_);
    answer_.reset();
    if (clock_.mono_us() - synced_us_ >= kSyncEveryUs) {
      synced_us_ = clock_.mono_us();
      TRY(core_->sync_state());
    }
    return answer;
  }
  Result<void> change_key(const KeyChangeAt& change) override { return core_->change_key(change); }
  Result<void> drop_old_key() override { return core_->drop_old_key(); }
  Result<void> replace_log(std::string_view head) override { return core_->replace_log(head); }
  Result<void> confirm(std::uint64_t flushed_size) override {
    TRY(core_->note_flushed(flushed_size));
    return core_->sync_state();
  }

 private:
  std::unique_ptr<SignerCore> core_;
  Clock& clock_;
  std::int64_t synced_us_;
  std::optional<Result<std::string>> answer_;
};

}  // namespace

Result<std::unique_ptr<Signer>> open_local_signer(FileSystem& files, const Path& folder,
                                                  Random& random, Clock& clock) {
  auto core = TRY(SignerCore::open(files, folder, random));
  return std::make_unique<LocalSigner>(std::move(core), clock);
}

}  // namespace candor::store
