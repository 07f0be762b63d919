// The sandbox probe as a program of its own, so that the escape tests need no llama.cpp.
#include <cstdlib>

#include "engine/sandbox_probe.h"

int main(int argc, char** argv) {
  clearenv();
  return candor::engine::sandbox_probe_main(argc - 1, argv + 1);
}
