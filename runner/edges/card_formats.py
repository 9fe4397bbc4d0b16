"""Each card held against its own format, by the validator that its makers publish. None of them asks the network.

They come with the extra `dev`: nothing that promotes or judges needs them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

import yaml

from runner.errors import EdgeError
from runner.records.evidence import EvidenceFile

RECOMMENDED = "is recommended, but does not exist"
"""What Croissant says of properties that may be left out: when it was published, which no evidence says, and what
people have not stated."""

MISREAD = (ValueError, TypeError, KeyError, AttributeError, RecursionError, yaml.YAMLError)
"""What the validators raise of what they cannot even read."""


def problems(name: str, data: bytes) -> tuple[str, ...]:
    """What the format's own validator finds wrong with a generated file; nothing for one that has no format but words.

    Raises `EdgeError` where the validator is not installed.
    """
    validate = VALIDATORS.get(EvidenceFile(name))
    if validate is None:
        return ()
    with _installed():
        try:
            return tuple(validate(data.decode()))
        except MISREAD as error:
            return (f"cannot be read: {type(error).__name__}: {error}",)


@contextmanager
def _installed() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise EdgeError(f"{error.name} is not installed: pip install 'hallmark-flywheel[dev]'") from error


def _model_card(text: str) -> Iterator[str]:
    """huggingface_hub reads the card; its results, written again, are those that it says."""
    from huggingface_hub import ModelCard
    from huggingface_hub.repocard_data import eval_results_to_model_index

    data: Any = ModelCard(text).data
    results = data.eval_results or []
    if not results:
        yield "its model-index has no results"
        return
    again = eval_results_to_model_index(data.model_name or "", results)
    if again != _front_matter(text).get("model-index"):
        yield "its model-index is not what huggingface_hub reads of it"


def _dataset_card(text: str) -> Iterator[str]:
    from huggingface_hub import DatasetCard

    data: Any = DatasetCard(text).data
    if data.to_dict() != _front_matter(text):
        yield "its metadata is not what huggingface_hub reads of it"


def _front_matter(text: str) -> dict[str, Any]:
    """As PyYAML reads it, which the Hub does too."""
    found: dict[str, Any] = yaml.safe_load(text.removeprefix("---\n").partition("\n---\n")[0])
    return found


def _croissant(text: str) -> Iterator[str]:
    import mlcroissant
    from absl import logging

    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)  # it prints what it returns, too
    try:
        dataset = mlcroissant.Dataset(jsonld=json.loads(text))
    except mlcroissant.ValidationError as error:
        yield f"is no Croissant: {error}"
        return
    finally:
        logging.set_verbosity(before)
    issues = dataset.metadata.ctx.issues
    yield from (str(one) for one in sorted(issues.errors))
    yield from (str(one) for one in sorted(issues.warnings) if RECOMMENDED not in str(one))


def _bom(text: str) -> Iterator[str]:
    from cyclonedx.exception import MissingOptionalDependencyException

    try:
        found = _strict_schema().validate_str(text)
    except MissingOptionalDependencyException as error:
        raise EdgeError("jsonschema's formats are not installed: pip install 'hallmark-flywheel[dev]'") from error
    if found is not None:
        yield f"is no CycloneDX 1.6: {found}"


@cache
def _strict_schema() -> Any:
    """CycloneDX's own validator, which takes half a second to read its schema."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    return JsonStrictValidator(SchemaVersion.V1_6)


VALIDATORS: Mapping[EvidenceFile, Callable[[str], Iterator[str]]] = {
    EvidenceFile.MODEL_CARD: _model_card,
    EvidenceFile.DATASET_CARD: _dataset_card,
    EvidenceFile.CROISSANT: _croissant,
    EvidenceFile.BOM: _bom,
}
