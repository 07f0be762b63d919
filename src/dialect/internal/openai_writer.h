#pragma once

#include <memory>
#include <string>

#include "dialect/dialect.h"

namespace candor::dialect {

[[nodiscard]] std::unique_ptr<AnswerWriter> make_openai_writer(WriterOptions options);
void append_openai_error(const ErrorInfo& error, std::string& out);

}  // namespace candor::dialect
