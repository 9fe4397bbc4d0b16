"""From failure to promotion: every artifact and its parents."""

from runner.records.base import Record, Slug, Text


class LineageNode(Record):
    """One artifact and what it was made from. Kinds: signal, failure, batch, example, mixture, adapter."""

    id: Text
    kind: Slug
    parents: tuple[Text, ...]
    label: str = ""


class Lineage(Record):
    nodes: tuple[LineageNode, ...]
