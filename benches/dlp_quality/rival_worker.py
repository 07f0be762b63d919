"""One rival reads texts: {"texts": [...], "labels": [...]} on standard input, for each text a list of [begin, end, label, score] on standard output,
places in characters. Runs in that rival's own environment.

usage: rival_worker.py presidio|litellm|detect-secrets
"""

import inspect
import json
import logging
import sys
import tempfile

logging.disable(logging.CRITICAL)


def presidio(labels):
    """Every recogniser for the labels that works by patterns and checks, of all countries, whatever its default; spaCy's blank English tokenizer,
    since its models are not on PyPI: no names, places or organisations."""
    import presidio_analyzer.predefined_recognizers as predefined
    from presidio_analyzer import AnalyzerEngine, PatternRecognizer, RecognizerRegistry
    from presidio_analyzer.nlp_engine import SlimSpacyNlpEngine

    engine = blank_engine(SlimSpacyNlpEngine)
    registry = RecognizerRegistry(supported_languages=["en"])
    for name in sorted(dir(predefined)):
        one = getattr(predefined, name)
        if inspect.isclass(one) and (issubclass(one, PatternRecognizer) or name == "PhoneRecognizer"):
            recogniser = one(supported_language="en")
            if set(recogniser.supported_entities) & set(labels):
                registry.add_recognizer(recogniser)
    analyzer = AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=["en"])
    return lambda text: [[r.start, r.end, r.entity_type, round(r.score, 3)] for r in analyzer.analyze(text, language="en")]


def blank_engine(base):
    import spacy

    class Blank(base):
        def load(self):
            self.nlp = {"en": spacy.blank("en")}
            self.nlp["en"].max_length = 10_000_000

    engine = Blank(models=[{"lang_code": "en", "model_name": "blank"}], auto_download=False)
    engine.load()
    return engine


def litellm(_):
    """All prebuilt patterns of the content filter, with its own rules for words that must stand near."""
    from litellm.proxy.guardrails.guardrail_hooks.litellm_content_filter.content_filter import ContentFilterGuardrail
    from litellm.proxy.guardrails.guardrail_hooks.litellm_content_filter.patterns import get_all_pattern_names

    patterns = [{"pattern_type": "prebuilt", "pattern_name": name, "action": "MASK"} for name in get_all_pattern_names()]
    guard = ContentFilterGuardrail(guardrail_name="quality", patterns=patterns)
    return lambda text: [[begin, end, entry["pattern_name"], 1.0] for entry in guard.compiled_patterns for begin, end in guard._find_pattern_spans(text, entry)]


def detect_secrets(_):
    """Its default plugins and filters, without the one that asks the services whether a key works."""
    from detect_secrets.core import scan
    from detect_secrets.settings import transient_settings
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class

    plugins = [{"name": one.__name__} for one in get_mapping_from_secret_type_to_class().values()]
    filters = [{"path": f"detect_secrets.filters.heuristic.{name}"} for name in
               ("is_sequential_string", "is_potential_uuid", "is_likely_id_string", "is_templated_secret", "is_prefixed_with_dollar_sign",
                "is_indirect_reference", "is_not_alphanumeric_string")]

    def read(text):
        found = []
        with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            starts = [0]
            for line in text.splitlines(keepends=True):
                starts.append(starts[-1] + len(line))
            for one in scan.scan_file(file.name):
                line_begin = starts[one.line_number - 1]
                at = text.find(one.secret_value, line_begin) if one.secret_value else -1
                begin = at if at >= 0 else line_begin
                end = at + len(one.secret_value) if at >= 0 else starts[min(one.line_number, len(starts) - 1)]
                found.append([begin, end, one.type, 1.0])
        return found

    def all_texts(text):
        with transient_settings({"plugins_used": plugins, "filters_used": filters}):
            return read(text)

    return all_texts


def main():
    asked = json.load(sys.stdin)
    read = {"presidio": presidio, "litellm": litellm, "detect-secrets": detect_secrets}[sys.argv[1]](asked["labels"])
    json.dump([read(text) for text in asked["texts"]], sys.stdout)


main()
