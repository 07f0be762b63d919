#pragma once

#include <memory>
#include <string>

#include "dialect/dialect.h"

namespace candor::dialect {

[[nodiscard]] std::unique_ptr<AnswerWriter> make_anthropic_writer(WriterOptions options);
[[nodiscard]] std::unique_ptr<AnswerWriter> make_count_writer(WriterOptions options);
void append_anthropic_error(const ErrorInfo& error, std::string& out);

}  // namespace candor::dialect
