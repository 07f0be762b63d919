// The closed table of what the gate can find. docs/model-gate.md shows it; a test holds the two
// together.
#include <algorithm>

#include "model/gate_report.h"

namespace candor::model {
namespace {

using enum GateSeverity;

constexpr std::string_view kAgain = "get the file again from its publisher and compare digests";
constexpr std::string_view kConvert = "convert the model again with current tools";
constexpr std::string_view kRead =
    "read the template at that place; serve with a known one instead";
constexpr std::string_view kNothing = "nothing";
constexpr std::string_view kSafe =
    "do not load it anywhere; ask the publisher for safetensors or GGUF";

}  // namespace

const std::vector<GateRule>& gate_rules() {
  static const std::vector<GateRule> kRules = {
      // clang-format off
      {"file.empty", kFatal, "The file is empty.", kAgain},
      {"file.unknown", kFatal, "The file is none of the formats that the gate reads.", "give a GGUF, safetensors or PyTorch file, or a chat template"},
      {"file.unreadable", kFatal, "The file could not be read.", "check the disk and the file's permissions"},
      {"gguf.alignment", kError, "general.alignment is not a power of two from 8 to 65536, or not a 32-bit unsigned number.", kConvert},
      {"gguf.architecture", kError, "general.architecture is missing or not a plain name.", kConvert},
      {"gguf.array-length", kError, "Lists that belong together differ in length.", kConvert},
      {"gguf.big-endian", kError, "A big-endian file, which no engine here reads.", kConvert},
      {"gguf.block-missing", kError, "The tensors' blocks are not the ones that block_count promises.", kConvert},
      {"gguf.bool", kError, "A truth value that is neither 0 nor 1.", kAgain},
      {"gguf.count", kFatal, "More keys, tensors or list items are announced than the file could hold.", kAgain},
      {"gguf.dimension", kError, "A tensor has no or more than four dimensions, or one of size 0 or beyond 2^63-1.", kAgain},
      {"gguf.duplicate-key", kError, "A key stands twice: readers differ in which they take.", kConvert},
      {"gguf.duplicate-tensor", kError, "A tensor's name stands twice: readers differ in which they take.", kConvert},
      {"gguf.file-reference", kError, "Metadata make an engine open other files.", "join the parts into one file (llama-gguf-split --merge)"},
      {"gguf.gap", kError, "Bytes between tensors belong to none.", kConvert},
      {"gguf.key", kError, "A key is empty, too long or not plain ASCII.", kConvert},
      {"gguf.key-style", kNote, "A key is not in the form that the format's description asks for.", kNothing},
      {"gguf.limit", kFatal, "The metadata are larger than the gate reads.", "check what the file holds; raise the limits only for a file that you trust"},
      {"gguf.magic", kFatal, "The file does not start with \"GGUF\".", kAgain},
      {"gguf.negative", kError, "A number that counts or sizes something is negative.", kAgain},
      {"gguf.nested-list", kError, "Lists within lists, which the engine does not read.", kConvert},
      {"gguf.no-tensors", kNote, "The file holds no tensors (a vocabulary alone).", kNothing},
      {"gguf.not-finite", kError, "A number that the engine would act on is not finite.", kAgain},
      {"gguf.not-finite-list", kNote, "A list of numbers holds one that is not finite.", kNothing},
      {"gguf.range", kError, "A number that the engine would act on is out of any model's range.", kAgain},
      {"gguf.sampling", kNote, "The file sets the sampling that answers are made with.", "set temperature and the like in requests or the configuration"},
      {"gguf.shape", kError, "A tensor's shape does not fit the architecture's numbers.", kAgain},
      {"gguf.size-overflow", kFatal, "A tensor's size, or the sum of all, overflows 64 bits.", kAgain},
      {"gguf.string", kError, "A text is not UTF-8, or holds a NUL.", kConvert},
      {"gguf.string-controls", kWarning, "A text holds control or bidirectional characters.", "read it with candor's output, which shows them"},
      {"gguf.tensor-alignment", kError, "A tensor does not begin at a multiple of the alignment.", kAgain},
      {"gguf.tensor-name", kError, "A tensor's name is empty, longer than 63 bytes or not plain text.", kConvert},
      {"gguf.tensor-overlap", kError, "Two tensors share bytes.", kAgain},
      {"gguf.tensor-past-end", kFatal, "A tensor lies beyond the end of the file: an engine that trusts it reads other memory.", kAgain},
      {"gguf.tensor-row", kError, "A row of a tensor is no whole number of its type's blocks.", kAgain},
      {"gguf.tensor-type", kError, "A tensor is of a type that the engine does not know.", "update the engine, or convert the model to a type that it knows"},
      {"gguf.token-id", kError, "A special token's number lies outside the vocabulary.", kConvert},
      {"gguf.trailing", kError, "Bytes behind the last tensor belong to nothing.", "cut them off, or ask the publisher what they are"},
      {"gguf.truncated", kFatal, "A length points past the end of the file.", kAgain},
      {"gguf.value-type", kFatal, "A value of a type that the format does not have, or of another than its key has.", kAgain},
      {"gguf.version", kFatal, "The format's version is not 2 or 3.", kConvert},
      {"pickle.code", kError, "The archive holds program code.", kSafe},
      {"pickle.compressed", kFatal, "An archive member is compressed or encrypted, which no PyTorch file is: it cannot be looked into.", kSafe},
      {"pickle.extension", kError, "The pickle calls something by a registered number, which hides its name.", kSafe},
      {"pickle.global", kError, "The pickle names code that loading a model does not need: loading would run it.", kSafe},
      {"pickle.limit", kFatal, "The pickle is larger or deeper than the gate reads.", kSafe},
      {"pickle.malformed", kFatal, "The pickle does not follow its format.", kAgain},
      {"pickle.opcode", kFatal, "The pickle holds an instruction that is unknown.", kSafe},
      {"pickle.present", kNote, "A pickle, which is a program: it was read and not run.", "prefer safetensors or GGUF"},
      {"pickle.trailing", kError, "Bytes behind the pickle belong to nothing.", kSafe},
      {"pickle.unsafe-name", kError, "Code is named in a way that cannot be followed.", kSafe},
      {"safetensors.count", kError, "The header names more tensors than the gate reads.", kAgain},
      {"safetensors.dtype", kError, "A tensor is of a type that the format does not have.", kConvert},
      {"safetensors.duplicate-key", kFatal, "A name stands twice in the header: readers differ in which they take.", kConvert},
      {"safetensors.empty", kNote, "The file holds no tensors.", kNothing},
      {"safetensors.entry", kError, "An entry of the header is not of the format's form.", kConvert},
      {"safetensors.gap", kError, "Bytes between or behind the tensors belong to none.", kConvert},
      {"safetensors.header", kFatal, "The header is not JSON of the format's form.", kAgain},
      {"safetensors.header-length", kFatal, "The header's length is 0, larger than the file, or larger than the gate reads.", kAgain},
      {"safetensors.metadata", kError, "__metadata__ holds something other than texts.", kConvert},
      {"safetensors.name", kError, "A tensor's name is empty, too long or holds controls.", kConvert},
      {"safetensors.offsets", kFatal, "A tensor's offsets are negative, reversed or beyond the end of the file.", kAgain},
      {"safetensors.overlap", kError, "Two tensors share bytes.", kAgain},
      {"safetensors.shape", kError, "A tensor's shape is negative or overflows.", kAgain},
      {"safetensors.size", kError, "A tensor's bytes are not its shape times its type's size.", kAgain},
      {"template.attribute", kError, "The template reaches for the inside of Python objects, which escapes a sandbox.", kRead},
      {"template.computed-name", kError, "The template computes the name of what it reaches for.", kRead},
      {"template.condition", kError, "The template behaves differently for certain words in a message.", kRead},
      {"template.date", kError, "The template behaves differently on certain dates.", kRead},
      {"template.differs", kWarning, "The template is not the one that the model's family is known for.", "compare it with the publisher's; serve with the known one (chat_template in candor.toml)"},
      {"template.function", kError, "The template calls a function that rendering a chat does not need.", kRead},
      {"template.hidden", kError, "The template holds characters that do not show: zero-width, bidirectional or control.", kRead},
      {"template.include", kError, "The template loads other files.", kRead},
      {"template.instruction", kError, "The template tells the model something that neither user nor operator wrote.", kRead},
      {"template.known", kNote, "The template is a known-good one in all but spacing within its code.", kNothing},
      {"template.length", kError, "The template is longer than the gate reads.", kRead},
      {"template.loop", kError, "The template repeats something without measure.", kRead},
      {"template.padding", kError, "Text stands behind so much white space that nobody sees it.", kRead},
      {"template.prose", kNote, "The template writes text of its own into the prompt.", "read it: it is part of each request"},
      {"template.syntax", kError, "The template does not follow Jinja's syntax, so what it does is unknown.", kRead},
      {"template.tag", kError, "The template uses a statement that rendering a chat does not need.", kRead},
      {"template.unicode-name", kError, "A name in the template's code is not plain ASCII: it can look like another.", kRead},
      {"template.unknown-family", kNote, "The template is none that the gate knows.", "read it, or serve with one that you know"},
      {"tensor.not-finite", kError, "A tensor holds numbers that are not finite: answers would be noise.", kAgain},
      {"zip.comment", kNote, "The archive carries a comment.", kNothing},
      {"zip.duplicate", kFatal, "Two members have one name: readers differ in which they take.", kSafe},
      {"zip.malformed", kFatal, "The archive does not follow its format.", kAgain},
      {"zip.mismatch", kFatal, "The archive's directory and its members disagree: readers would see different files.", kSafe},
      {"zip.no-pickle", kError, "An archive without a model's pickle.", "give the model's own file"},
      {"zip.path", kError, "A member's name leaves the archive's folder.", kSafe},
      // clang-format on
  };
  return kRules;
}

const GateRule* find_gate_rule(std::string_view id) {
  const auto& rules = gate_rules();
  const auto at = std::ranges::lower_bound(rules, id, {}, &GateRule::id);
  return at != rules.end() && at->id == id ? &*at : nullptr;
}

}  // namespace candor::model
