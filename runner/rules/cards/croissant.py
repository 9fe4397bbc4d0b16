"""The dataset as Croissant 1.1 (docs.mlcommons.org/croissant): files by sha256, and what a row of the mixture has."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from runner.records.artifact import ARTIFACTS
from runner.rules.cards.dataset_card import composition
from runner.rules.cards.licenses import url
from runner.rules.handoff.facts import Made

CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The standard's own."""
FILES = {
    "mixture": "What trained the adapter: the chosen rows of this iteration, and replayed earlier ones.",
    "base-data": "Human rows that the base learnt from, and that are replayed.",
    "gold": "Human rows that people wrote or labelled for the cluster.",
    "traces": "Production traces, redacted at the door.",
}
FIELDS = {
    "id": ("example", "$.id", "sc:Text", "The row's id."),
    "capability": ("example", "$.capability", "sc:Text", "What the row is about, as the cluster names it."),
    "input": ("example", "$.input[0].content", "sc:Text", "The first message."),
    "answer": ("example", "$.answer", "sc:Text", "The right answer."),
    "origin": ("example", "$.origin", "sc:Text", "human, synthetic or corrected."),
    "use": ("use", "", "sc:Text", "new, or replay: earlier data kept against forgetting."),
    "repeat": ("repeat", "", "sc:Integer", "How often the row is shown."),
}
"""A field to its column, the path in it, its type, and what it says."""


def croissant(made: Made) -> dict[str, Any]:
    """The JSON-LD document. `datePublished` is left out, since no evidence says when anything is published."""
    told, record = made.background.stated, made.record
    rows = "; ".join(f"{name}: {count}" for name, count in composition(made))
    named = f"{record.cluster}-{record.sequence}"
    mixture = made.background.artifacts.get("mixture", "")
    return {
        "@context": deepcopy(CONTEXT),  # readers of JSON-LD write into it
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": f"{named}-training",
        "description": f"What adapter {record.adapter.sha256 if record.adapter else ''} was trained on. {rows}.",
        "version": f"{record.sequence}.0.0",
        **({"url": f"urn:sha256:{mixture}"} if mixture else {}),
        "citeAs": f"{named}-training, sha256 {mixture or 'not recorded'}",
        "isLiveDataset": False,
        **({"license": url(told.data_license)} if told.data_license else {}),
        **({"inLanguage": list(told.language)} if told.language else {}),
        **({"creator": {"@type": "sc:Organization", "name": told.owner}} if told.owner else {}),
        "keywords": ["hallmark", record.cluster],
        "rai:dataCollection": "Production traces, rows that people wrote, and rows generated for failures.",
        "rai:dataCollectionType": sorted({str(one.provenance.channel) for one in made.batches}),
        "rai:dataAnnotationProtocol": "People accept, edit or reject candidates, as many as the cluster asks for.",
        "rai:personalSensitiveInformation": told.personal_data or "not stated",
        "rai:dataUseCases": told.intended_use or "not stated",
        "distribution": _files(made),
        "recordSet": [_rows(made)] if mixture else [],
    }


def _files(made: Made) -> list[dict[str, Any]]:
    """The files that the ledger has a digest of. They are fetched with `dvc pull` on the run branch."""
    return [
        {
            "@type": "cr:FileObject",
            "@id": name,
            "name": name,
            "description": said,
            "contentUrl": f"clusters/{made.record.cluster}/{ARTIFACTS[name].path}",
            "encodingFormat": "application/jsonlines",
            "sha256": made.background.artifacts[name],
        }
        for name, said in FILES.items()
        if name in made.background.artifacts
    ]


def _rows(made: Made) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": "rows",
        "name": "rows",
        "description": "The rows of the mixture.",
        "key": {"@id": "rows/id"},
        "field": [_field(name, *what) for name, what in FIELDS.items()],
    }


def _field(name: str, column: str, path: str, kind: str, said: str) -> dict[str, Any]:
    source: dict[str, Any] = {"fileObject": {"@id": "mixture"}, "extract": {"column": column}}
    if path:
        source["transform"] = {"jsonPath": path}
    return {
        "@type": "cr:Field",
        "@id": f"rows/{name}",
        "name": name,
        "description": said,
        "dataType": kind,
        "source": source,
    }
