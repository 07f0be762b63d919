// A passport as a CycloneDX 1.7 bill of materials of one machine-learning model (ECMA-424;
// https://cyclonedx.org/docs/1.7/json/), for tools that read those. What the standard has no member
// for stands in `properties` under "candor:". Nothing is added that the passport does not say.
// Pure.
#pragma once

#include <string>

#include "json/json.h"
#include "passport/passport.h"

namespace candor::passport {

// document: the passport's bytes, whose digest gives the serial number: one passport, one bill.
[[nodiscard]] json::Object to_cyclonedx(const Passport& passport, std::string_view document);

}  // namespace candor::passport
