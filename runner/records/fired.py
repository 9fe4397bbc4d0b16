"""What an iteration was queued for. The gate reads it in every ledger, so what triggers say at length stands in
`trigger_findings`."""

from runner.records.base import Record, Text


class Fired(Record):
    """One trigger that began an iteration: in its entry in the queue, its run branch and its intake."""

    trigger: Text
    on: Text
    """The day, such as 2026-03-01: the same trigger may fire again later, of the same files."""
    because: Text


class Begun(Record):
    """`clusters/<cluster>/run/triggers.yaml` of a run branch: what began its iteration."""

    triggers: tuple[Fired, ...]
