from __future__ import annotations

import pytest

from runner.errors import RecordError
from runner.records.lineage import Lineage, LineageNode
from runner.rules.loop.lineage import Branch, explain, find, kinds, left_out, line
from tests.evidence_fixture import A, B, lineage


def graph(**parents: str) -> Lineage:
    """`child="one two"`: a node with those parents."""
    return Lineage(
        nodes=tuple(LineageNode(id=name, kind="example", parents=tuple(p.split())) for name, p in parents.items())
    )


def ids(branch: Branch) -> set[str]:
    return {branch.id}.union(*(ids(other) for other in branch.branches))


def nodes(branch: Branch) -> int:
    return 1 + sum(nodes(other) for other in branch.branches)


def depth(branch: Branch) -> int:
    return 1 + max((depth(other) for other in branch.branches), default=0)


def test_adapter_reaches_every_trace_and_the_traces_reach_it() -> None:
    answer = explain(lineage(), A)
    assert {kind: len(names) for kind, names in answer.behind.items()} == {
        "batch": 9,
        "example": 360,
        "failure": 3,
        "mixture": 1,
        "signal": 57,
    }
    assert answer.ahead == {}
    back = explain(lineage(), "signal-warranty-3")
    assert back.ahead["adapter"] == (A,)
    assert back.ahead["failure"] == ("warranty-as-damaged-item",)
    assert len(back.ahead["example"]) == 120
    assert back.behind == {}


def test_shown_examples_lead_to_every_failure() -> None:
    """Of 360 examples three are shown: they must not come from one failure, nor six from one batch."""
    kind = {node.id: node.kind for node in lineage().nodes}
    assert sum(kind[name] == "failure" for name in ids(explain(lineage(), A, width=3).parents)) == 3
    assert sum(kind[name] == "batch" for name in ids(explain(lineage(), A, width=6).parents)) == 6


def test_tree_is_bounded_and_counts_what_it_leaves_out() -> None:
    parents = explain(lineage(), A, width=4).parents
    mixture = parents.branches[0]
    assert mixture.id == B
    assert len(mixture.branches) == 4
    assert left_out(mixture) == ("… and 356 more examples",)
    assert nodes(parents) < 50


def test_every_node_is_expanded_once() -> None:
    diamond = graph(top="", left="top", right="top", bottom="left right")
    tree = explain(diamond, "bottom").parents
    tops = [branch for side in tree.branches for branch in side.branches]
    assert [branch.id for branch in tops] == ["top", "top"]
    assert nodes(tree) == 5
    deep = graph(**{f"n{n}": f"n{n - 1} n{n - 2}" if n > 1 else "" for n in range(60)})
    assert nodes(explain(deep, "n59").parents) < 200


def test_circle_ends() -> None:
    answer = explain(graph(a="b", b="c", c="a"), "a")
    assert answer.behind == {"example": ("b", "c")}
    assert answer.parents.branches[0].branches[0].branches[0] == Branch("a", "example", seen=True)
    assert line(answer.parents.branches[0].branches[0].branches[0]).endswith("(shown elsewhere)")


def test_own_parent_ends() -> None:
    assert explain(graph(a="a"), "a").behind == {}


def test_long_chain_does_not_exhaust_the_stack() -> None:
    chain = graph(**{f"n{n}": f"n{n - 1}" if n else "" for n in range(5000)})
    answer = explain(chain, "n4999")
    assert len(answer.behind["example"]) == 4999
    assert depth(answer.parents) < 100


def test_a_wide_and_deep_lineage_takes_no_long() -> None:
    wide = graph(**{f"n{n}": " ".join(f"n{m}" for m in range(max(0, n - 40), n)) for n in range(400)})
    assert nodes(explain(wide, "n399").parents) < 3000


def test_unlisted_parent_is_named_as_such() -> None:
    assert explain(graph(a="gone"), "a").behind == {"unlisted": ("gone",)}


def test_find_takes_the_start_of_an_id() -> None:
    assert find(lineage(), "aaaaaaaaaaaa").id == A
    with pytest.raises(RecordError, match="names 40 artifacts"):
        find(lineage(), "warranty-llm-")


def test_exact_id_wins_over_a_longer_one() -> None:
    assert find(lineage(), "warranty-llm").kind == "batch"


def test_unknown_id_names_the_nearest() -> None:
    with pytest.raises(RecordError, match=r"nearest: .*warranty-as-damaged-item"):
        find(lineage(), "waranty-as-damaged-itm")
    with pytest.raises(RecordError, match="9 batches"):
        find(lineage(), "????")


def test_kinds_and_lines() -> None:
    assert kinds(lineage())["signal"] == 57
    assert line(Branch(A, "adapter", "candidate")) == "adapter aaaaaaaaaaaa  candidate"
