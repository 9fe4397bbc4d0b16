"""Names of people, by Presidio: a recogniser that needs a language model of its own and is an optional extra."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable, Sequence
from typing import Any

from runner.errors import ModelError
from runner.rules.text.redaction import NameRecogniser

MODELS = ("en_core_web_lg", "en_core_web_md", "en_core_web_sm")
"""The larger one finds more names."""
_LEAST = 0.5
"""The confidence from which Presidio's word is taken."""


def presidio_names(language: str = "en", *, models: Sequence[str] = MODELS) -> NameRecogniser:
    """Presidio's analyser, with the first of spaCy's `models` that is installed. Nothing is downloaded, as Presidio
    would by itself.

    Raises `ModelError` where Presidio or its language model is not installed.
    """
    try:
        presidio: Any = importlib.import_module("presidio_analyzer")
        engines: Any = importlib.import_module("presidio_analyzer.nlp_engine")
    except ImportError as error:
        raise ModelError(
            "names are recognised by Presidio, which is not installed: pip install 'hallmark-flywheel[names]', "
            f"then python -m spacy download {models[0]}"
        ) from error
    model = next((name for name in models if importlib.util.find_spec(name)), None)
    if model is None:
        raise ModelError(f"Presidio has none of the language models {', '.join(models)}: python -m spacy download one")
    said = {"nlp_engine_name": "spacy", "models": [{"lang_code": language, "model_name": model}]}
    engine = engines.NlpEngineProvider(nlp_configuration=said).create_engine()
    analyser = presidio.AnalyzerEngine(nlp_engine=engine, supported_languages=[language])

    def names(text: str) -> Iterable[tuple[int, int]]:
        found = analyser.analyze(text=text, language=language, entities=["PERSON"], score_threshold=_LEAST)
        return [(one.start, one.end) for one in found]

    return names
