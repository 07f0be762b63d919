#include "engine/template_watch.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <csignal>
#include <ctime>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include <pthread.h>
#include <unistd.h>

#include "chat.h"
#include "engine/sealed_start.h"

namespace candor::engine {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

constexpr auto kLook = 50ms;

nanoseconds time_on(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return std::chrono::seconds(now.tv_sec) + nanoseconds(now.tv_nsec);
}

struct Call {
  clockid_t clock{};  // of the thread that renders
  nanoseconds end{};
};

struct Watch {
  std::mutex mutex;
  std::condition_variable begun;
  std::vector<const Call*> calls;
  nanoseconds allowed{};  // 0: nothing is watched
};
// Never destroyed: its thread runs until the process ends.
Watch& watch = *std::make_unique<Watch>().release();

thread_local int rendering = 0;  // a template of this thread calls into a watched function again

[[noreturn]] void look() {
  std::unique_lock lock(watch.mutex);
  for (;;) {
    watch.begun.wait(lock, [] { return !watch.calls.empty(); });
    for (const Call* call : watch.calls) {
      if (time_on(call->clock) > call->end) _exit(kTemplateTooSlow);
    }
    watch.begun.wait_for(lock, kLook, [] { return false; });
  }
}

// llama.cpp would go on with the exception as with a mistake of the template's.
void on_no_memory() {
  if (rendering > 0) _exit(kTemplateTooLarge);
  throw std::bad_alloc();
}

// On a stack of its own, since that of the thread may be what has ended.
void on_fault(int number) {
  if (rendering > 0) _exit(kTemplateCrashed);
  // A fault happens again on return; a signal that somebody sent does not.
  std::signal(number, SIG_DFL);
  if (raise(number) != 0) _exit(128 + number);
}

void give_signal_stack() {
  alignas(16) thread_local std::array<std::byte, 16U << 10U> space;
  thread_local bool given = false;
  if (given) return;
  const stack_t stack{.ss_sp = space.data(), .ss_flags = 0, .ss_size = space.size()};
  given = sigaltstack(&stack, nullptr) == 0;
}

class Watched {
 public:
  Watched() {
    if (++rendering > 1 || watch.allowed == 0ns) return;
    give_signal_stack();
    pthread_getcpuclockid(pthread_self(), &call_.clock);
    call_.end = time_on(call_.clock) + watch.allowed;
    const std::lock_guard lock(watch.mutex);
    watch.calls.push_back(&call_);
    watch.begun.notify_one();
  }
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;
  ~Watched() {
    if (--rendering > 0 || watch.allowed == 0ns) return;
    const std::lock_guard lock(watch.mutex);
    std::erase(watch.calls, &call_);
  }

 private:
  Call call_;
};

template <typename F>
auto watched(F function) {
  const Watched here;
  return function();
}

}  // namespace

void watch_templates(std::chrono::milliseconds processor_time) {
  watch.allowed = processor_time;
  struct sigaction action{};
  action.sa_handler = on_fault;
  action.sa_flags = SA_ONSTACK;
  sigaction(SIGSEGV, &action, nullptr);
  std::set_new_handler(on_no_memory);
  std::thread(look).detach();
}

}  // namespace candor::engine

// The linker leads the calls from other files to __wrap_ and ours from there to __real_ (--wrap in
// llama/CMakeLists.txt). A name that llama.cpp no longer has fails to link.
#define CANDOR_INIT                                                                              \
  "_Z26common_chat_templates_initPK11llama_modelRKNSt7__cxx1112basic_stringIcSt11char_traitsIcE" \
  "SaIcEEES9_S9_"
#define CANDOR_EXAMPLE                                                                           \
  "_Z26common_chat_format_examplePK21common_chat_templatesbRKSt3mapINSt7__cxx1112basic_stringIc" \
  "St11char_traitsIcESaIcEEES8_St4lessIS8_ESaISt4pairIKS8_S8_EEE"
#define CANDOR_THINKING "_Z45common_chat_templates_support_enable_thinkingPK21common_chat_templates"
#define CANDOR_APPLY                                         \
  "_Z27common_chat_templates_applyPK21common_chat_templates" \
  "RK28common_chat_templates_inputs"
#define CANDOR_VERIFY \
  "_Z27common_chat_verify_templateRKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEEb"

using Words = std::map<std::string, std::string>;
using candor::engine::watched;

common_chat_templates_ptr real_init(const llama_model* model, const std::string& text,
                                    const std::string& bos,
                                    const std::string& eos) asm("__real_" CANDOR_INIT);
common_chat_templates_ptr wrap_init(const llama_model* model, const std::string& text,
                                    const std::string& bos,
                                    const std::string& eos) asm("__wrap_" CANDOR_INIT);
common_chat_templates_ptr wrap_init(const llama_model* model, const std::string& text,
                                    const std::string& bos, const std::string& eos) {
  return watched([&] { return real_init(model, text, bos, eos); });
}

std::string real_example(const common_chat_templates* templates, bool use_jinja,
                         const Words& words) asm("__real_" CANDOR_EXAMPLE);
std::string wrap_example(const common_chat_templates* templates, bool use_jinja,
                         const Words& words) asm("__wrap_" CANDOR_EXAMPLE);
std::string wrap_example(const common_chat_templates* templates, bool use_jinja,
                         const Words& words) {
  return watched([&] { return real_example(templates, use_jinja, words); });
}

bool real_thinking(const common_chat_templates* templates) asm("__real_" CANDOR_THINKING);
bool wrap_thinking(const common_chat_templates* templates) asm("__wrap_" CANDOR_THINKING);
bool wrap_thinking(const common_chat_templates* templates) {
  return watched([&] { return real_thinking(templates); });
}

common_chat_params real_apply(
    const common_chat_templates* templates,
    const common_chat_templates_inputs& inputs) asm("__real_" CANDOR_APPLY);
common_chat_params wrap_apply(
    const common_chat_templates* templates,
    const common_chat_templates_inputs& inputs) asm("__wrap_" CANDOR_APPLY);
common_chat_params wrap_apply(const common_chat_templates* templates,
                              const common_chat_templates_inputs& inputs) {
  return watched([&] { return real_apply(templates, inputs); });
}

bool real_verify(const std::string& text, bool use_jinja) asm("__real_" CANDOR_VERIFY);
bool wrap_verify(const std::string& text, bool use_jinja) asm("__wrap_" CANDOR_VERIFY);
bool wrap_verify(const std::string& text, bool use_jinja) {
  return watched([&] { return real_verify(text, use_jinja); });
}
