// candor receipt ID: the C2SP tlog-proof of an exchange, rebuilt at the newest head.
#include "verbs/verbs.h"

namespace candor::cli {

int run_receipt(const Context& context, const ReceiptOptions& options) {
  const Output& out = context.out();
  if (!is_exchange_id(options.exchange)) {
    return report(out, {Code::kInvalidArgument,
                        "an exchange's id is 32 hexadecimal digits: the Candor-Exchange header of "
                        "the answer, or 'candor ledger tail'"});
  }
  const auto text = admin_text(context, "/v1/receipt?exchange=" + options.exchange);
  if (!text) return report(out, text.error());
  if (!options.out.empty()) {
    if (auto written = write_text_file(options.out, *text); !written) {
      return report(out, written.error());
    }
    if (!out.json()) {
      out.note("written to " + options.out + "; check it: candor-verify receipt " + options.out +
               " --request FILE --response FILE");
    }
  }
  if (out.json()) {
    json::Object object;
    object["exchange"] = options.exchange;
    object["receipt"] = *text;
    out.document(object);
  } else if (options.out.empty()) {
    out.write(*text);
  }
  return kExitDone;
}

}  // namespace candor::cli
