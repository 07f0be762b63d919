// PyTorch's archives (PKWARE's APPNOTE 6.3, sections 4.3 and 4.5.3): the directory at the end and
// each member's own header must tell the same story, since readers differ in which they believe.
#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <vector>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/text.h"
#include "model/gate/byte_window.h"
#include "model/gate/judges.h"

namespace candor::model::gate {
namespace {

constexpr std::uint64_t kEndBytes = 22, kEnd64Bytes = 56, kLocator64Bytes = 20;
constexpr std::uint64_t kLocalBytes = 30;
constexpr std::size_t kMaxNameBytes = 1'024;

struct Member {
  std::string name;
  std::uint64_t method = 0, flags = 0, packed = 0, size = 0, header = 0;
};
struct Directory {
  std::uint64_t begin = 0, end = 0, members = 0;
};

class Judge {
 public:
  Judge(ByteSource& source, const GateLimits& limits, GateFindings& findings)
      : source_(source), limits_(limits), findings_(findings) {}

  void run() {
    if (const auto read = read_all(); !read) {
      if (read.error().code() == Code::kInvalidArgument) {
        findings_.add("zip.malformed", {}, read.error().message());
      } else if (read.error().code() == Code::kResourceExhausted) {
        findings_.add("pickle.limit", {}, read.error().message());
      } else if (read.error().code() != Code::kCancelled) {
        findings_.add("file.unreadable", {}, read.error().message());
      }
    }
  }

 private:
  void about(std::string_view id, const Member& member, std::string_view detail = {}) {
    findings_.add(id, {.offset = member.header, .name = member.name}, detail);
  }

  Result<void> read_all() {
    const Directory directory = TRY(find_directory());
    if (directory.members > limits_.max_members) {
      return fail(Code::kResourceExhausted, fmt::format("{} members", directory.members));
    }
    ByteWindow in(source_, directory.begin, directory.end);
    std::vector<Member> members;
    for (std::uint64_t i = 0; i < directory.members; ++i) members.push_back(TRY(entry(in)));
    if (in.left() != 0)
      return fail(Code::kInvalidArgument, "its directory holds more than members");
    std::set<std::string, std::less<>> names;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> spans;
    bool pickle = false;
    for (const Member& member : members) {
      if (!names.insert(member.name).second) about("zip.duplicate", member);
      judge_name(member);
      const auto data = TRY(local(member, directory.begin));
      if (!data) continue;
      spans.emplace_back(member.header, *data + member.packed);
      if (TRY(is_pickle(member, *data))) {
        pickle = true;
        const std::uint64_t end =
            judge_pickle(source_, *data, *data + member.size, member.name, limits_, findings_);
        if (end != 0 && end != *data + member.size) {
          findings_.add("pickle.trailing", {.offset = end, .name = member.name});
        }
      }
    }
    std::ranges::sort(spans);
    for (std::size_t i = 1; i < spans.size(); ++i) {
      if (spans[i].first < spans[i - 1].second) {
        findings_.add("zip.mismatch", {.offset = spans[i].first}, "members share bytes");
      }
    }
    if (!spans.empty() && spans.front().first != 0) {
      findings_.add("zip.mismatch", {.offset = 0}, "bytes before the first member");
    }
    if (!pickle) findings_.add("zip.no-pickle", {});
    return {};
  }

  Result<Directory> find_directory() {
    const std::uint64_t size = source_.size();
    const std::uint64_t tail = std::min<std::uint64_t>(size, kEndBytes + 65'535);
    ByteWindow in(source_, size - tail, size);
    const std::string text = TRY(in.text(tail, static_cast<std::size_t>(tail)));
    const std::size_t at = text.rfind("PK\5\6");
    if (at == std::string::npos || text.size() - at < kEndBytes) {
      return fail(Code::kInvalidArgument, "no directory at its end");
    }
    const std::uint64_t end = size - tail + at;
    ByteWindow record(source_, end + 4, size);
    const std::uint64_t disk = TRY(record.number(2));
    const std::uint64_t disk_of_directory = TRY(record.number(2));
    const std::uint64_t here = TRY(record.number(2));
    Directory out;
    out.members = TRY(record.number(2));
    std::uint64_t bytes = TRY(record.number(4));
    out.begin = TRY(record.number(4));
    const std::uint64_t comment = TRY(record.number(2));
    if (comment != record.left()) {
      findings_.add("zip.mismatch", {.offset = end}, "bytes behind the archive");
    }
    if (comment != 0)
      findings_.add("zip.comment", {.offset = end}, gate_text(text.substr(at + kEndBytes), 80));
    if (disk != 0 || disk_of_directory != 0 || here != out.members) {
      return fail(Code::kInvalidArgument, "one of several volumes");
    }
    std::uint64_t behind = end;  // where the directory must end
    if (out.members == 0xFFFF || bytes == 0xFFFFFFFF || out.begin == 0xFFFFFFFF ||
        has_locator(text, at)) {
      if (end < kLocator64Bytes) return fail(Code::kInvalidArgument, "no 64-bit directory");
      ByteWindow locator(source_, end - kLocator64Bytes, end);
      if (TRY(locator.number(4)) != 0x07064B50) {
        return fail(Code::kInvalidArgument, "no 64-bit directory");
      }
      TRY(locator.skip(4));
      const std::uint64_t where = TRY(locator.number(8));
      if (where > end || end - where < kEnd64Bytes + kLocator64Bytes) {
        return fail(Code::kInvalidArgument, "its 64-bit directory lies elsewhere");
      }
      ByteWindow wide(source_, where, end);
      if (TRY(wide.number(4)) != 0x06064B50) {
        return fail(Code::kInvalidArgument, "no 64-bit directory");
      }
      TRY(wide.skip(8 + 2 + 2 + 4 + 4 + 8));
      const std::uint64_t members = TRY(wide.number(8));
      const std::uint64_t wide_bytes = TRY(wide.number(8));
      const std::uint64_t begin = TRY(wide.number(8));
      // Where the short record says a number, the long one says the same.
      if ((out.members != 0xFFFF && out.members != members) ||
          (bytes != 0xFFFFFFFF && bytes != wide_bytes) ||
          (out.begin != 0xFFFFFFFF && out.begin != begin)) {
        findings_.add("zip.mismatch", {.offset = end}, "its two directories differ");
        return fail(Code::kCancelled, "told");
      }
      out.members = members;
      bytes = wide_bytes;
      out.begin = begin;
      behind = where;
    }
    if (out.begin > behind || bytes != behind - out.begin) {
      findings_.add("zip.mismatch", {.offset = end}, "its directory is not where it says");
      return fail(Code::kCancelled, "told");
    }
    out.end = behind;
    return out;
  }
  static bool has_locator(std::string_view text, std::size_t at) {
    return at >= kLocator64Bytes && text.substr(at - kLocator64Bytes).starts_with("PK\6\7");
  }

  Result<Member> entry(ByteWindow& in) {
    if (TRY(in.number(4)) != 0x02014B50) {
      return fail(Code::kInvalidArgument, "its directory is damaged");
    }
    Member out;
    TRY(in.skip(4));
    out.flags = TRY(in.number(2));
    out.method = TRY(in.number(2));
    TRY(in.skip(8));
    out.packed = TRY(in.number(4));
    out.size = TRY(in.number(4));
    const std::uint64_t name = TRY(in.number(2));
    const std::uint64_t extra = TRY(in.number(2));
    const std::uint64_t comment = TRY(in.number(2));
    TRY(in.skip(8));
    out.header = TRY(in.number(4));
    if (name > kMaxNameBytes) return fail(Code::kInvalidArgument, "a member's name is too long");
    out.name = TRY(in.text(name, kMaxNameBytes));
    TRY(wide_sizes(in, extra, out));
    TRY(in.skip(comment));
    return out;
  }

  // The 64-bit sizes of a member (4.5.3), in the order of those that did not fit.
  static Result<void> wide_sizes(ByteWindow& in, std::uint64_t extra, Member& out) {
    while (extra >= 4) {
      const std::uint64_t id = TRY(in.number(2));
      std::uint64_t size = TRY(in.number(2));
      extra -= 4;
      if (size > extra) return fail(Code::kInvalidArgument, "a member's extra field is damaged");
      extra -= size;
      if (id == 1) {
        for (std::uint64_t* value : {&out.size, &out.packed, &out.header}) {
          if (*value != 0xFFFFFFFF || size < 8) continue;
          *value = TRY(in.number(8));
          size -= 8;
        }
      }
      TRY(in.skip(size));
    }
    return in.skip(extra);
  }

  void judge_name(const Member& member) {
    const std::string_view name = member.name;
    bool bad = name.empty() || name.front() == '/' || name.find('\\') != std::string_view::npos ||
               !is_utf8(name) || name.find('\0') != std::string_view::npos ||
               (name.size() > 1 && name[1] == ':');
    for (std::size_t at = 0; at <= name.size();) {
      const std::size_t slash = std::min(name.find('/', at), name.size());
      bad = bad || name.substr(at, slash - at) == "..";
      at = slash + 1;
    }
    if (bad) about("zip.path", member);
    static constexpr auto kCode = std::to_array<std::string_view>(
        {".py", ".pyc", ".so", ".dll", ".dylib", ".exe", ".sh", ".js", ".jar", ".bat"});
    if (std::ranges::any_of(kCode, [name](std::string_view end) { return name.ends_with(end); })) {
      about("pickle.code", member);
    }
  }

  // Where a member's data begin; nothing: it cannot be looked into.
  Result<std::optional<std::uint64_t>> local(const Member& member, std::uint64_t directory) {
    if (member.method != 0 || (member.flags & 0x2041U) != 0 || member.packed != member.size) {
      about("pickle.compressed", member);
      return std::nullopt;
    }
    if (member.header > directory || directory - member.header < kLocalBytes) {
      about("zip.mismatch", member, "it lies outside the archive");
      return std::nullopt;
    }
    ByteWindow in(source_, member.header, directory);
    const std::uint64_t magic = TRY(in.number(4));
    TRY(in.skip(2));
    const std::uint64_t flags = TRY(in.number(2));
    const std::uint64_t method = TRY(in.number(2));
    TRY(in.skip(8));
    Member other;
    other.packed = TRY(in.number(4));
    other.size = TRY(in.number(4));
    const std::uint64_t name = TRY(in.number(2));
    const std::uint64_t extra = TRY(in.number(2));
    other.name = TRY(in.text(name, kMaxNameBytes));
    TRY(wide_sizes(in, extra, other));
    // With a descriptor behind the data (flag 8) the sizes may be left at 0 here.
    const bool later = (flags & 8U) != 0 && other.size == 0 && other.packed == 0;
    if (magic != 0x04034B50 || method != member.method || other.name != member.name ||
        (flags & 0x2041U) != 0 ||
        (!later && (other.size != member.size || other.packed != member.packed))) {
      about("zip.mismatch", member);
      return std::nullopt;
    }
    if (member.size > in.left()) {
      about("zip.mismatch", member, "it lies outside the archive");
      return std::nullopt;
    }
    return in.position();
  }

  // By name or by its first bytes, since loaders go by neither alone. Storages are bytes by number.
  Result<bool> is_pickle(const Member& member, std::uint64_t data) {
    const std::string_view name = member.name;
    if (name.ends_with(".pkl") || name.ends_with(".pickle") || name.ends_with(".pt") ||
        name.ends_with(".bin")) {
      return true;
    }
    const std::size_t slash = name.rfind('/');
    const std::string_view last = slash == std::string_view::npos ? name : name.substr(slash + 1);
    const std::string_view folder = slash == std::string_view::npos ? "" : name.substr(0, slash);
    const bool storage = (folder == "data" || folder.ends_with("/data")) && !last.empty() &&
                         std::ranges::all_of(last, [](char c) { return c >= '0' && c <= '9'; });
    if (storage || member.size < 2) return false;
    ByteWindow in(source_, data, data + 2);
    const std::uint64_t first = TRY(in.number(2));
    return (first & 0xFFU) == 0x80 && (first >> 8U) >= 2 && (first >> 8U) <= 5;
  }

  ByteSource& source_;
  const GateLimits& limits_;
  GateFindings& findings_;
};

}  // namespace

void judge_zip(ByteSource& source, const GateLimits& limits, GateReport& report,
               GateFindings& findings) {
  report.format = "pickle";
  findings.add("pickle.present", {});
  Judge(source, limits, findings).run();
}

}  // namespace candor::model::gate
