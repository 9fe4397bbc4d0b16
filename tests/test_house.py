"""The house of docs/architecture.md holds: import-linter's contracts, and the rules that it cannot say."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from handbook import nouns, verbs
from runner import pipeline
from runner.errors import ExitCode
from runner.records.mixture import MixturePolicy
from runner.records.training import CurveShape

ROOT = Path(__file__).resolve().parent.parent
RUNNER = ROOT / "runner"
MODULES = sorted(RUNNER.rglob("*.py"))
BIN = Path(sys.executable).parent

HEAVY = frozenset(
    {"torch", "transformers", "trl", "peft", "dvc", "datasets", "tokenizers", "safetensors", "vllm"}
    | {"sklearn", "rensa", "matplotlib", "jinja2", "aiohttp", "aiolimiter", "tenacity", "zstandard"}
    | {"textual", "github"}
)
"""What only an extra brings, most of it slow to import."""
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
SCREENS = RUNNER / "edges" / "screens"
"""Classes of Textual cannot stand in functions: these modules import it as they load, and are loaded in functions."""
LONGEST_MODULE = 300
LONGER: dict[str, int] = {}
"""Modules that may be longer, with their length at most; meant to stay empty."""

MACHINE_PATH = re.compile(r"(?<![\w.)}*\]~-])/(?:home|Users|root|work|opt|mnt|srv)/[\w.-]+")
PACKAGE_HOST = re.compile(
    r"(?:pypi|pythonhosted|npmjs|conda\.anaconda|download\.pytorch)\.(?:org|com)|proxy\.golang\.org"
    r"|--(?:extra-)?index-url|--find-links|PIP_INDEX_URL"
)


def tracked() -> list[Path]:
    """Every tracked file that exists and is text."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    paths = [ROOT / name for name in listed.decode().split("\0") if name]
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()[:8192]]


def imports_of(tree: ast.AST, *, inside_functions: bool) -> Iterator[tuple[int, str]]:
    """(line, top-level package) of what a module imports when it is loaded, or also when its functions run.

    What stands under `if TYPE_CHECKING:` is never imported and so is left out.
    """
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            for other in node.orelse:
                yield from imports_of(ast.Module([other], []), inside_functions=inside_functions)
            continue
        if isinstance(node, FUNCTIONS) and not inside_functions:
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module.partition(".")[0]
        else:
            yield from imports_of(node, inside_functions=inside_functions)


def heavy_imports(path: Path, *, inside_functions: bool) -> list[str]:
    tree = ast.parse(path.read_text())
    found = imports_of(tree, inside_functions=inside_functions)
    return [f"{path.name}:{line}: {name}" for line, name in found if name in HEAVY]


def loads(path: Path, package: str) -> list[str]:
    """Where a module imports something of `package` when it is loaded."""
    if package not in path.read_text():
        return []
    tree = ast.parse(path.read_text())
    inside = {id(one) for node in ast.walk(tree) if isinstance(node, FUNCTIONS) for one in ast.walk(node)}
    named = (
        node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom | ast.Import) and id(node) not in inside
    )
    return [f"{path.name}:{node.lineno}" for node in named if package in ast.unparse(node)]


def lint_imports(directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(BIN / "lint-imports"), "--no-cache"], cwd=directory, capture_output=True, text=True, check=False
    )


def test_imports_only_go_down() -> None:
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("module", "wrong"),
    [
        ("runner.rules.canonical", "runner.edges.artifacts"),
        ("runner.rules.canonical", "subprocess"),
        ("runner.records.base", "runner.rules.canonical"),
        ("runner.phases.p05_diagnose", "runner.phases.p04_baseline"),
        ("runner.phases.p05_diagnose", "runner.edges.artifacts"),
        ("runner.edges.artifacts", "runner.flywheel"),
        ("runner.ledger", "runner.pipeline"),
        ("runner.flywheel", "runner.edges.artifacts"),
    ],
)
def test_an_import_that_goes_up_is_found(tmp_path: Path, module: str, wrong: str) -> None:
    shutil.copytree(RUNNER, tmp_path / "runner", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    source = tmp_path / f"{module.replace('.', '/')}.py"
    source.write_text(f"{source.read_text()}\nimport {wrong}\n")
    result = lint_imports(tmp_path)
    assert result.returncode == 1
    assert f"{module} -> {wrong} (l." in result.stdout


def test_the_contracts_list_no_exceptions() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    for word in ("ignore_imports", "exhaustive_ignores", "unmatched_ignore"):
        assert word not in text


def test_every_module_stands_on_a_level() -> None:
    """Whatever stands directly in `runner/` is named by the layers contract, or it would be bound by nothing."""
    text = (ROOT / "pyproject.toml").read_text()
    layers = re.search(r"^layers = \[(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    assert layers
    named = set(re.findall(r"runner\.(\w+)", layers[1]))
    packages = {path.parent.name for path in RUNNER.glob("*/__init__.py")}
    modules = {path.stem for path in RUNNER.glob("*.py")} - {"__init__"}
    assert packages | modules == named


def test_init_files_are_empty() -> None:
    full = [path for path in MODULES if path.name == "__init__.py" and path.read_bytes()]
    assert full == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(RUNNER)))
def test_heavy_imports_stand_in_functions_of_edges(path: Path) -> None:
    if path.parent == SCREENS:
        assert {found.partition(": ")[2] for found in heavy_imports(path, inside_functions=True)} <= {"textual"}
        return
    assert heavy_imports(path, inside_functions=path.relative_to(RUNNER).parts[0] != "edges") == []


def test_screens_are_loaded_in_functions() -> None:
    others = [path for path in MODULES if path.parent != SCREENS]
    assert [found for path in others for found in loads(path, "edges.screens")] == []
    assert loads(SCREENS / "triage.py", "textual"), "and what is looked for is found"


def test_a_heavy_import_is_found(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import torch\n"
        "try:\n    import peft\nexcept ImportError:\n    pass\n"
        "class A:\n    from dvc.repo import Repo\n"
        "def f():\n    import sklearn.svm\n"
    )
    assert heavy_imports(path, inside_functions=False) == ["module.py:5: peft", "module.py:9: dvc"]
    assert heavy_imports(path, inside_functions=True)[2:] == ["module.py:11: sklearn"]


def test_help_loads_no_records() -> None:
    program = (
        "import sys; from runner.cli.main import main; sys.argv = ['hallmark', '--help']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        f"print(sorted(set(sys.modules) & {{'pydantic', 'numpy', 'git', 'yaml', {', '.join(map(repr, HEAVY))}}}))\n"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "[]"


def test_modules_are_short() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in MODULES}
    long = {name: length for name, length in lengths.items() if length >= LONGEST_MODULE}
    assert {name: length for name, length in long.items() if length > LONGER.get(name, 0)} == {}
    assert set(LONGER) <= set(long), "a module got shorter: take it off the list"


def test_the_documented_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    documents = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    for document in documents:
        named = set(re.findall(r"(?:`|^\s*\$? ?)make ([a-z][\w-]*)", document.read_text(), re.MULTILINE))
        assert named <= targets, document.name
    assert {"demo", "test"} <= targets


def test_relative_links_lead_somewhere() -> None:
    """To a file, or to a page of the reference, which the site makes (`make docs`)."""
    made = {ROOT / "docs" / page for page in (*nouns.pages(), *verbs.pages())}
    for document in [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md"))]:
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text()):
            target = (document.parent / link).resolve()
            assert target.exists() or target in made, f"{document.name}: {link}"


def test_no_tracked_file_names_a_machine_or_a_package_host() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in tracked()
        if path != Path(__file__).resolve()
        for pattern in (MACHINE_PATH, PACKAGE_HOST)
        for match in pattern.finditer(path.read_text(errors="replace"))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("cd /home/someone/x", MACHINE_PATH),
        ('"/root/.cache"', MACHINE_PATH),
        ("--index-url https://example.org", PACKAGE_HOST),
        ("https://files.pythonhosted.org/packages", PACKAGE_HOST),
    ],
)
def test_a_machine_path_or_host_is_found(text: str, pattern: re.Pattern[str]) -> None:
    assert pattern.search(text)


@pytest.mark.parametrize("text", ["build/work/origin.git", "~/work/clone", "$(DIR)/home/x", "/scenarios/", "and/or/x"])
def test_a_relative_path_is_no_machine_path(text: str) -> None:
    assert not MACHINE_PATH.search(text)


def rows(document: str) -> list[list[str]]:
    """The cells of every table row whose first cell is a number."""
    lines = (ROOT / "docs" / document).read_text().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return [row for row in cells if row[0].isdigit()]


def test_the_documented_exit_codes_are_the_real_ones() -> None:
    documented = {int(row[0]): row[1].strip("`") for row in rows("exit-codes.md")}
    assert documented == {int(code): code.name for code in ExitCode}


def test_the_documented_phases_are_the_real_ones() -> None:
    documented = [(int(row[0]), row[1], re.findall(r"`([\w-]+)`", row[3]), row[4]) for row in rows("architecture.md")]
    actual = [
        (phase.number, phase.name, [name for stage in phase.stages for name in stage.writes], phase.gate)
        for phase in pipeline.PHASES
    ]
    assert documented == actual


def test_the_documented_rooms_of_the_rules_are_the_real_ones() -> None:
    lines = (ROOT / "docs" / "architecture.md").read_text().splitlines()
    documented = [
        room for line in lines if line.startswith("   rules/") for room in re.findall(r"\brules/(\w+)/", line)
    ]
    assert sorted(documented) == sorted({path.parent.name for path in (RUNNER / "rules").glob("*/*.py")})


def test_the_phases_read_as_the_flywheel() -> None:
    """`ls runner/phases` names the thirteen phases in their order."""
    files = sorted(path.stem for path in (RUNNER / "phases").glob("p*.py"))
    assert files == [f"p{phase.number:02}_{phase.name}" for phase in pipeline.PHASES]


def test_the_documented_mixture_policy_and_verdicts_are_the_real_ones() -> None:
    lines = (ROOT / "docs" / "ratio.md").read_text().splitlines()
    first = [re.match(r"\| `([\w-]+)` \|", line) for line in lines]
    documented = [found[1] for found in first if found]
    assert documented == [*MixturePolicy.model_fields, *CurveShape]
