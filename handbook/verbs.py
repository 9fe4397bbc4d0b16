"""A page for each verb of the command line, made by walking click's own tree: what a command says of itself."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType

import click

from runner.cli.main import VERBS, group
from runner.errors import ExitCode

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = re.compile(r"\s*\bExamples?:\s*(.+)\Z", re.DOTALL)
EVERY = (ExitCode.REFUSED, ExitCode.USAGE, ExitCode.BUG, ExitCode.COULD_NOT, ExitCode.INTERRUPTED)
"""What any command may end with, whatever it does (`runner/cli/said.py`)."""
USUAL = {"directory": "The workspace; the directory one is in, if not given."}
"""Options that say nothing of themselves because every command has them."""


def pages() -> dict[str, str]:
    """The text of each page by its path below docs/; the first lists the verbs."""
    found = {"reference/commands/index.md": overview()}
    for name in VERBS:
        command = group.get_command(click.Context(group), name)
        assert command is not None
        found[path(name)] = page(command, (name,))
    return found


def path(name: str) -> str:
    return f"reference/commands/{name}.md"


def overview() -> str:
    rows = [f"| [`{name}`]({name}.md) | {line} |" for name, (_, line) in VERBS.items()]
    return "\n".join(
        [
            "# Commands",
            "",
            "Every command has `--help`, which says what stands here, and `--json`, with which it prints one JSON",
            "document on standard output and nothing else there. What the exit codes mean to a script stands in",
            "[exit codes](../../exit-codes.md).",
            "",
            "| command | what it does |",
            "|---|---|",
            *rows,
            "",
        ]
    )


def page(command: click.Command, words: tuple[str, ...]) -> str:
    return "\n".join(section(command, words))


def section(command: click.Command, words: tuple[str, ...]) -> Iterator[str]:
    """The command, and below it those that it groups."""
    yield f"{'#' * len(words)} hallmark {' '.join(words)}\n"
    text, example = said(command.help or "")
    yield f"{text}\n"
    if not isinstance(command, click.Group) or command.invoke_without_command:
        yield from called(command, words, example)
    elif example:
        yield f"Example:\n\n```sh\n{example}\n```\n"
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from section(inner, (*words, name))


def called(command: click.Command, words: tuple[str, ...], example: str) -> Iterator[str]:
    """How it is typed: usage, example, options, exit codes."""
    context = click.Context(command, info_name=f"hallmark {' '.join(words)}")
    yield f"```text\n{context.get_usage().removeprefix('Usage: ')}\n```\n"
    if example:
        yield f"Example:\n\n```sh\n{example}\n```\n"
    rows = [row(one, context) for one in command.params if isinstance(one, click.Option)]
    yield "\n".join(["| option | what it does | default |", "|---|---|---|", *rows, ""])
    yield f"Exit codes: {codes(command)}.\n"


def said(text: str) -> tuple[str, str]:
    """Help as paragraphs, each on one line with `code` as it stands, and the example that ends it."""
    whole = re.sub(r"\n[ \t]+", "\n", text.replace("\b\n", "")).strip()
    found = EXAMPLE.search(whole)
    example = " ".join(found[1].split()).strip("`") if found else ""
    return escaped(whole[: found.start()] if found else whole).strip(), example


def escaped(text: str) -> str:
    """As Markdown that says just this: what looks like HTML is text, code stays code."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else html.escape(part, quote=False) for part in parts)


def row(option: click.Option, context: click.Context) -> str:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    choices = option.type.choices if isinstance(option.type, click.Choice) else ()
    taken = "" if option.is_flag or choices else f" `{option.make_metavar(context)}`"
    usual = option.get_default(context, call=False)
    plain = isinstance(usual, str | int | float) and not isinstance(usual, bool) and usual != ""
    default = "required" if option.required else f"`{usual}`" if plain and option.show_default else ""
    many = " May be given several times." if option.multiple and "several" not in (option.help or "") else ""
    meaning = escaped(option.help or USUAL.get(option.name or "", "")).replace("|", "&#124;")
    among = f" One of {', '.join(f'`{one}`' for one in choices)}." if choices else ""
    return f"| {names}{taken} | {meaning}{many}{among} | {default} |"


def codes(command: click.Command) -> str:
    """The codes that the command names in its own code, and those that any command may end with."""
    own = set(named(command.callback)) if command.callback else set()
    every = {ExitCode.DONE, *EVERY, *(ExitCode[name] for name in own)}
    return ", ".join(f"{int(code)} `{code.name}`" for code in sorted(every))


def named(function: Callable[..., object]) -> Iterator[str]:
    """Names of exit codes in a function of runner/cli, and in those of runner/cli that it calls."""
    waiting, seen = [function], set()
    while waiting:
        one = waiting.pop()
        one = getattr(one, "__wrapped__", one)
        code = getattr(one, "__code__", None)
        if code is None or code in seen:
            continue
        seen.add(code)
        names = set(names_of(code))
        yield from names & set(ExitCode.__members__)
        for name in names:
            found = getattr(one, "__globals__", {}).get(name)
            if callable(found) and getattr(found, "__module__", "").startswith("runner.cli"):
                waiting.append(found)


def names_of(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from names_of(constant)
