"""Templates of other programs (Jinja, and Nunjucks where it is the same), rendered without running any of theirs.

What a template may hold is a list, not a ban: text, variables with their fields and items, `if`, one `for` over what
the data holds, a few filters and methods of text. All else is an error that names it, an undefined name too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from runner.errors import DataError, RecordError

Render = Callable[[Mapping[str, Any]], str]

LONGEST_TEMPLATE = 20_000
LONGEST_TEXT = 200_000
"""Characters of what a template gives: a prompt, or an answer."""
NODES = frozenset(
    {"Template", "Output", "TemplateData", "Name", "Getattr", "Getitem", "Const", "List", "Tuple", "Slice"}
    | {"CondExpr", "Compare", "Operand", "And", "Or", "Not", "Test", "Concat", "Add", "Sub", "Neg", "If", "For"}
    | {"Filter", "Call", "Keyword"}
)
FILTERS = frozenset(
    {"trim", "lower", "upper", "capitalize", "title", "replace", "string", "int", "default", "d", "safe"}
    | {"join", "length", "count", "first", "last", "tojson", "dump"}
)
TESTS = frozenset({"defined", "undefined", "none", "string", "number", "true", "false"})
METHODS = frozenset({"strip", "lstrip", "rstrip", "lower", "upper", "capitalize", "title", "startswith", "endswith"})
_ONCE = ("For", "replace")
"""What may stand in a template once: two of them could multiply what they give."""


def template(text: str, *, path: str, field: str = "") -> Render:
    """What renders `text` with values by name. Raises `RecordError` for a template that holds what is not rendered
    here and, when it renders, for a name that is not defined; `DataError` where Jinja is not installed."""
    try:
        made = _compiled(text)
    except _Refused as error:
        hint = "write what it gives into the data, or a simpler template"
        raise RecordError(f"the template {error}", path=path, field=field, hint=hint) from None

    def render(values: Mapping[str, Any]) -> str:
        from jinja2 import TemplateError

        try:
            found: str = made.render(**values)
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
            problem = f"the template cannot be rendered: {error}"
            raise RecordError(problem, path=path, field=field, hint="give the value that it asks for") from None
        if len(found) > LONGEST_TEXT:
            raise RecordError(f"the template gives more than {LONGEST_TEXT:,} characters", path=path, field=field)
        return found

    return render


class _Refused(Exception):
    """Why a template is not rendered."""


@lru_cache(maxsize=256)
def _compiled(text: str) -> Any:
    environment = _environment()
    from jinja2 import TemplateError

    if len(text) > LONGEST_TEMPLATE:
        raise _Refused(f"is longer than {LONGEST_TEMPLATE:,} characters")
    try:
        tree = environment.parse(text)
        _check(tree)
        return environment.from_string(tree)
    except TemplateError as error:
        raise _Refused(f"is not Jinja: {error}") from None
    except RecursionError:
        raise _Refused("is nested too deeply") from None


@lru_cache(maxsize=1)
def _environment() -> Any:
    try:
        from jinja2 import StrictUndefined
        from jinja2.sandbox import ImmutableSandboxedEnvironment
    except ImportError as error:
        raise DataError("templates need Jinja: pip install 'hallmark-flywheel[report]'") from error
    made = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)
    made.globals.clear()
    made.filters["dump"] = lambda value: json.dumps(value, ensure_ascii=False)
    made.filters["tojson"] = made.filters["dump"]
    return made


def _check(tree: Any) -> None:
    """Raises `_Refused` for the first thing that is not on the lists."""
    from jinja2 import nodes

    once = dict.fromkeys(_ONCE, 0)
    for node in tree.find_all(nodes.Node):
        kind = type(node).__name__
        if kind not in NODES:
            raise _Refused(f"uses {kind.lower()}, which is not rendered here (line {node.lineno})")
        if isinstance(node, nodes.Filter) and node.name not in FILTERS:
            raise _Refused(f"uses the filter {node.name}, which is not rendered here (line {node.lineno})")
        if isinstance(node, nodes.Test) and node.name not in TESTS:
            raise _Refused(f"uses the test {node.name}, which is not rendered here (line {node.lineno})")
        if isinstance(node, nodes.Call):
            _check_call(node)
        name = node.name if isinstance(node, nodes.Filter) else kind
        if name in once:
            once[name] += 1
            if once[name] > 1:
                raise _Refused(f"has more than one {name.lower()}, and one is rendered here (line {node.lineno})")


def _check_call(node: Any) -> None:
    from jinja2 import nodes

    called = node.node
    if not isinstance(called, nodes.Getattr) or called.attr not in METHODS:
        name = getattr(called, "attr", None) or getattr(called, "name", "something")
        raise _Refused(f"calls {name}, which is not done here (line {node.lineno})")
