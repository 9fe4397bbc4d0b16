"""Names of people, by Presidio: a recogniser that needs a language model of its own and is an optional extra."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

from runner.errors import ModelError
from runner.rules.redaction import NameRecogniser

_LEAST = 0.5
"""The confidence from which Presidio's word is taken."""


def presidio_names(language: str = "en") -> NameRecogniser:
    """Presidio's analyser, with the language model that it has for `language`.

    Raises `ModelError` where Presidio or its language model is not installed.
    """
    try:
        analyser: Any = importlib.import_module("presidio_analyzer").AnalyzerEngine()
    except ImportError as error:
        raise ModelError(
            "names are recognised by Presidio, which is not installed: pip install 'hallmark-flywheel[names]', "
            "then python -m spacy download en_core_web_lg"
        ) from error
    except (OSError, SystemExit) as error:
        raise ModelError(
            f"Presidio has no language model: python -m spacy download en_core_web_lg ({error})"
        ) from error

    def names(text: str) -> Iterable[tuple[int, int]]:
        found = analyser.analyze(text=text, language=language, entities=["PERSON"], score_threshold=_LEAST)
        return [(one.start, one.end) for one in found]

    return names
