"""`dvc.lock` read as data: where DVC keeps each output."""

from __future__ import annotations

from collections.abc import Mapping

import yaml
from pydantic import ValidationError

from runner.errors import DataError
from runner.records.pointer import PointerOut

_FIELDS = ("md5", "size", "nfiles", "path")


def locked(data: bytes) -> Mapping[str, PointerOut]:
    """Every stage's outputs, by their path from the top of the repository. Raises `DataError` for a damaged file."""
    try:
        stages = (yaml.load(data, Loader=yaml.CSafeLoader) or {}).get("stages", {})
        outs = [out for stage in stages.values() for out in stage.get("outs", ()) if "md5" in out]
        pointers = [PointerOut.model_validate({key: out[key] for key in _FIELDS if key in out}) for out in outs]
    except (yaml.YAMLError, AttributeError, TypeError, RecursionError, ValidationError) as error:
        raise DataError(f"dvc.lock cannot be read: {error}") from error
    return {pointer.path: pointer for pointer in pointers}
