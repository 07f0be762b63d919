// What stands in for a finding (C6): a mask, or a pseudonym that keeps the form.
//
// Pseudonyms come from ranges that nobody is given: example.com (RFC 2606), 555-0100 to 555-0199
// (NANP), 192.0.2.0/24, 198.51.100.0/24 and 203.0.113.0/24 (RFC 5737), 2001:db8::/32 (RFC 3849),
// 00-00-5E-00-53 (RFC 7042), payment cards that begin with 0 (ISO/IEC 7812: no issuer of cards),
// IBANs whose check digits are 00 (ISO 13616: 02 to 98). What has no such range, or whose range is
// used up, becomes a mask with a tag: [SECRET 3f9a02c1].
//
// One Pseudonyms for each conversation. Its key decides what stands in for a value, so that the
// same key gives the same stand-ins wherever no two values met in one of them. Values are kept in
// memory for the way back; whoever holds a Pseudonyms holds what it hides. One thread at a time.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "dlp/detector.h"
#include "dlp/restorer.h"

namespace candor::dlp {

// "IBAN" of iban, "PHONE" of phone.nanp, "UK NHS" of uk.nhs: the first word of the id in capitals,
// with the second where the first is a country or "text".
[[nodiscard]] std::string mask_name(const Detector& detector);
[[nodiscard]] std::string mask(const Detector& detector);  // "[IBAN]"

class Pseudonyms {
 public:
  explicit Pseudonyms(const Digest& key) : key_(key) {}

  // The same for the same class and value; never the same for two. A value that is itself a
  // stand-in of this conversation stays as it is.
  [[nodiscard]] std::string stand_in(const Detector& detector, std::string_view value);
  // The value behind a stand-in that was made here (L1); nothing for any other text.
  [[nodiscard]] std::optional<std::string_view> value_of(std::string_view stand_in) const;
  // All that were made so far.
  [[nodiscard]] const StandIns& minted() const noexcept { return by_stand_in_; }

 private:
  Digest key_;
  std::map<std::string, std::string, std::less<>> by_value_;  // class, zero, value
  StandIns by_stand_in_;
};

}  // namespace candor::dlp
