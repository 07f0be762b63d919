// The pass over tensors' values (D2): reads them piece by piece and finds numbers that are not
// finite.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "model/gate.h"
#include "model/internal/tensor_values.h"

namespace candor::model::gate {

class ValuesReader {
 public:
  ValuesReader(ByteSource& source, GateFindings& findings);
  // One tensor, which lies within the file; one finding if it holds such numbers. begin: in the
  // file.
  void read(std::string_view name, std::uint64_t begin, std::uint64_t bytes,
            const internal::ValueLayout& layout);

 private:
  ByteSource& source_;
  GateFindings& findings_;
  std::vector<std::byte> buffer_;
};

}  // namespace candor::model::gate
