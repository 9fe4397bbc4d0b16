"""The command line: one row a verb, loaded when it is asked for, and the one place that maps errors to exit codes."""

from __future__ import annotations

import gc
import sys
from importlib import import_module
from typing import NoReturn

import click

from runner.cli.said import TOLD, told, undisturbed
from runner.errors import ExitCode

VERBS: dict[str, tuple[str, str]] = {
    # everyday
    "init": ("init:init", "Make a workspace: layout, workflows, DVC, a policy, a first cluster."),
    "import": ("import_:import_", "Make a cluster from CSV, InstructLab, promptfoo or lm-eval files."),
    "check": ("check:check", "Check reviewed files, one or all, with every cross-reference."),
    "fmt": ("fmt:fmt", "Lay reviewed YAML out as Hallmark writes it, comments kept."),
    "benchmark": ("benchmark:benchmark", "Freeze a cluster's sets; report what they cover and how their items behave."),
    "calibrate": ("calibrate:calibrate", "Hold a judge against people's labels: kappa, and whether it counts."),
    "status": ("status:status", "Where each cluster stands, and what waits for whom."),
    "doctor": ("doctor:doctor", "What is wrong with this machine and workspace, and how to mend it."),
    # the flywheel
    "ingest": ("ingest:ingest", "Bring production traces in, redacted at the door."),
    "iterate": ("iterate:iterate", "Run an iteration to the next human gate, or to its bundle."),
    "triggers": ("triggers:triggers", "Whether data, age or a falling score asks for another iteration."),
    "evaluate": ("evaluate:evaluate", "Ask a model a cluster's scenarios; read and compare the logs."),
    "phase": ("phase:phase", "Run one phase in this work tree (what a DVC stage calls)."),
    "triage": ("triage:triage", "Decide on the candidates that wait for people."),
    "simulate": ("simulate:simulate", "Try on a small scale what would become of a cluster's data."),
    # promotion
    "propose": ("propose:propose", "Open the promotion pull request of a finished iteration."),
    "approve": ("approve:approve", "Verify a proposed promotion and sign it."),
    "reject": ("reject:reject", "Refuse a proposed promotion, with a reason."),
    "gate": ("gate:gate", "Judge one step of main: may NEW follow OLD?"),
    "verify": ("verify:verify", "Verify a clone's whole history from a root of trust."),
    "fetch": ("fetch:fetch", "Bring a promoted adapter for serving, verified to its last byte."),
    "rollback": ("rollback:rollback", "Propose going back to an earlier adapter; one person on call signs."),
    "reconcile": ("reconcile:reconcile", "Write the receipts and tags that merged promotions still lack."),
    "policy": ("policy:policy", "Make and lint the policy of who may approve what."),
    "hook": ("hook:hook", "Install the gate as a hook of a bare repository."),
    # understanding
    "review": ("review:review", "What a change means, in words: scenarios, grading, limits, leaks, coverage."),
    "ci": ("ci:ci", "What workflows ask: which clusters to run, and what people see of it."),
    "handoff": ("handoff:handoff", "Everything that whoever takes a specialist over must know, in one document."),
    "why": ("why:why", "Walk from an adapter to the traces it comes from, and back."),
    "export": ("export:export", "Write schemas, people's decisions as rows, or the evidence that may leave."),
    "demo": ("demo:demo", "The whole loop in a scratch directory, through to a verified promotion."),
}


class Lazy(click.Group):
    """A group whose commands are imported when they run, so that `hallmark --help` is instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        module, attribute = VERBS[name][0].split(":")
        command: click.Command = getattr(import_module(f"runner.cli.{module}"), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in VERBS.items()])


@click.group(
    cls=Lazy,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit codes: 0 done, 1 refused or invalid, 2 usage, 3 bug, 4 waiting for people, 5 could not judge or do.",
)
@click.version_option(package_name="hallmark-flywheel", prog_name="hallmark")
def group() -> None:
    """Hallmark: a GitOps flywheel for specialist language models.

    A git repository is the database; a model is promoted only by merging a signed pull request that carries its
    evidence. Example: `hallmark check`, then `hallmark iterate support-desk`.
    """


RARELY = 50_000
"""Objects made between two searches for garbage: importing makes many, and all of them stay."""


def main() -> None:
    """The `hallmark` command."""
    undisturbed()
    gc.set_threshold(RARELY)
    try:
        result = group.main(standalone_mode=False)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(ExitCode.USAGE)
    except click.Abort:
        _end(KeyboardInterrupt())
    except TOLD as error:
        _end(error)
    except Exception as error:  # Python itself would exit with 1, which says that something was refused
        sys.excepthook(type(error), error, error.__traceback__)
        _end(error)
    sys.exit(result if isinstance(result, int) else ExitCode.DONE)


def _end(error: BaseException) -> NoReturn:
    message, code = told(error)
    click.echo(message, err=True)
    sys.exit(code)
