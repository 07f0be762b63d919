// Bounds what a model's chat template may cost (B8): it is a program in the model file, and nothing
// in llama.cpp ends one that loops. Each call of llama.cpp that parses or renders one (at the load,
// where it is tried with examples, and for each request) runs in a watch.
//
// A template that takes more processor time than allowed, more memory than the process may have, or
// more stack than its thread has, ends this process with a code of engine/sealed_start.h. The
// monitor then knows what was at fault. Time is that of the thread alone, so a busy machine is no
// reason.
#pragma once

#include <chrono>

namespace candor::engine {

// Once, before llama_server().
void watch_templates(std::chrono::milliseconds processor_time);

}  // namespace candor::engine
