#pragma once

#include <memory>
#include <span>
#include <string>

#include "dialect/dialect.h"

namespace candor::dialect {

[[nodiscard]] std::unique_ptr<AnswerWriter> make_ollama_writer(WriterOptions options);
void append_ollama_error(const ErrorInfo& error, std::string& out);
void append_ollama_info(Info info, std::span<const ModelInfo> models, std::string& out);

}  // namespace candor::dialect
