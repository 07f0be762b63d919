// The pass over tensors' values (D2): reads them piece by piece and finds numbers that are not
// finite.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/gate.h"
#include "model/internal/tensor_values.h"

namespace candor::model::gate {

struct TensorBytes {
  std::string name;         // as a report may hold it
  std::uint64_t begin = 0;  // in the file
  std::uint64_t bytes = 0;
  internal::ValueLayout layout;
};

// Tensors lie within the file. One finding for each that holds such numbers.
void judge_tensor_values(ByteSource& source, const std::vector<TensorBytes>& tensors,
                         GateFindings& findings);

}  // namespace candor::model::gate
