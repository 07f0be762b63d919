#include "model/descriptor_source.h"

#include <cerrno>

#include <sys/stat.h>
#include <unistd.h>

namespace candor::model {

std::uint64_t size_of(int fd) noexcept {
  struct stat facts{};
  return fstat(fd, &facts) != 0 || facts.st_size < 0 ? 0
                                                     : static_cast<std::uint64_t>(facts.st_size);
}

Result<void> DescriptorSource::read_at(std::uint64_t offset, std::span<std::byte> out) {
  while (!out.empty()) {
    const ssize_t got = pread(fd_, out.data(), out.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return fail(Code::kUnavailable, "the model file cannot be read");
    offset += static_cast<std::uint64_t>(got);
    out = out.subspan(static_cast<std::size_t>(got));
  }
  return {};
}

}  // namespace candor::model
