"""What is wrong with who may change what: the machines' keys, the policy, the hook, the forge's rules, CODEOWNERS."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from shlex import quote

from runner.records.change import ChangeClass
from runner.rules.doctor.facts import Forge, Hook, Key, Owners, Policy
from runner.rules.doctor.findings import Said, ok, problem, warning
from runner.rules.repository.code_owners import STAND_IN, CodeOwners

SOON = 30
"""Days before the policy's end from which it is said: a renewal is a pull request with signatures."""
INSTALL = "hallmark hook install {origin} --root {root} --key FILE --store FOLDER"


def keys(facts: Iterable[Key]) -> Iterator[Said]:
    for fact in facts:
        yield from _key(fact)


def _key(fact: Key) -> Iterator[Said]:
    named = f"{fact.variable} names {fact.path}"
    if not fact.exists:
        why = "nothing can be signed with it here (docs/ci.md has the steps)"
        yield problem(f"{named}, and there is no such file", why=why, fix=_make(fact))
        return
    if fact.mode & 0o077:
        why = "others on this machine may read it, and ssh-keygen refuses to sign with such a key"
        yield problem(f"{named}, whose mode is {fact.mode:03o}", why=why, fix=f"chmod 600 {quote(fact.path)}")
    if fact.unreadable:
        why = "a machine signs with nobody there to type a passphrase"
        yield problem(f"{named}: {fact.unreadable}", why=why, fix=f"ssh-keygen -p -N '' -f {quote(fact.path)}")
    elif not fact.has_policy:
        fix = "hallmark policy init --help"
        yield warning(f"{named}, and there is no policy here that knows it", why="nobody would accept it", fix=fix)
    else:
        yield from _standing(fact, named)


def _standing(fact: Key, named: str) -> Iterator[Said]:
    """What the policy says of it."""
    why = "what it signs does not count, and is refused"
    if fact.revoked:
        yield problem(f"{named}, which policy/revoked takes back", why=why, fix=_make(fact))
    elif not fact.owner:
        said = f"{named}, which is nobody's in policy/allowed_signers"
        yield problem(said, why=why, fix=f"ssh-keygen -y -f {quote(fact.path)}; hallmark policy lint")
    elif fact.owner != fact.wanted:
        yield problem(f"{named}, which is {fact.owner}'s and not {fact.wanted}'s", why=why, fix=_make(fact))
    elif not fact.mode & 0o077:
        yield ok(f"{named}: {fact.wanted}'s key, for its owner alone to read")


def _make(fact: Key) -> str:
    return f"ssh-keygen -t ed25519 -N '' -C {fact.wanted or 'ci'} -f {quote(fact.path)}"


def policy(fact: Policy) -> Iterator[Said]:
    if not fact.there:
        why = "until there is one nobody can approve a promotion, and nothing is refused"
        yield warning("there is no policy", why=why, fix="hallmark policy init --help")
        return
    for said, hint in fact.reasons:
        yield problem(said, why=hint or "a policy with a trap in it is not what it says", fix="hallmark policy lint")
    if fact.days_left is not None and 0 <= fact.days_left < SOON:
        why = "after that nobody's signature counts; a renewal is a policy change, signed like any other"
        said = f"the policy ends in {fact.days_left} days, at {fact.expires}"
        yield warning(said, why=why, fix="hallmark propose --branch policy-renewal")
    elif not fact.reasons:
        yield ok(f"the policy has no trap and holds until {fact.expires}")


def hook(fact: Hook) -> Iterator[Said]:
    install = INSTALL.format(origin=quote(fact.origin), root=fact.first_policy or "SHA256")
    if not fact.is_bare:
        why = "a hook guards a server: pushes to a work tree's branch are refused or leave it behind"
        yield warning(f"{fact.origin} is not a bare repository", why=why, fix=f"git clone --bare {quote(fact.origin)}")
        return
    if not fact.there:
        said, why = f"{fact.origin} has no hook", "whoever may push there can change main, and nobody is asked"
        if fact.has_policy:
            yield problem(said, why=why, fix=install)
        else:
            yield warning(said, why=f"{why}; it needs a policy first", fix="hallmark policy init --help")
        return
    found = [*_broken(fact, install)]
    yield from found
    if not fact.receipts:
        why = "after a merge somebody has to call `hallmark reconcile`, or nothing can be served"
        yield warning(f"{fact.origin} has no post-receive hook", why=why, fix=install)
    if not found:
        yield ok(f"the gate guards {fact.origin}")


def _broken(fact: Hook, install: str) -> Iterator[Said]:
    why = "a push to main is refused by it or not judged by it"
    if not fact.executable:
        yield problem(
            f"the hook of {fact.origin} is not executable",
            why="git passes over it without a word",
            fix=f"chmod +x {quote(fact.origin)}/hooks/pre-receive",
        )
    if not fact.ours:
        folder = quote(f"{fact.origin}/hooks")
        aside = f"mv {folder}/pre-receive {folder}/pre-receive.old"
        why = "nothing here says what it lets through"
        yield problem(f"the hook of {fact.origin} is not Hallmark's", why=why, fix=f"{aside} && {install}")
        return
    if fact.missing:
        yield problem(f"the hook of {fact.origin} calls what is gone: {', '.join(fact.missing)}", why=why, fix=install)
    elif not fact.current:
        yield problem(f"the hook of {fact.origin} was written by another version", why=why, fix=install)
    if fact.guards != fact.origin:
        yield problem(f"the hook of {fact.origin} judges {fact.guards}", why="the repository was moved", fix=install)
    if fact.first_policy and fact.root != fact.first_policy:
        said = (
            f"the hook of {fact.origin} trusts {fact.root[:12]}, and the first policy here is {fact.first_policy[:12]}"
        )
        yield problem(said, why="either is not the repository that was meant", fix="hallmark policy root")


FORGE_RULES = {
    "pull_request": "that changes come by pull request",
    "non_fast_forward": "that nobody rewrites its history",
    "deletion": "that nobody deletes it",
}


def forge(fact: Forge) -> Iterator[Said]:
    where = f"{fact.name}'s rules for main of {fact.repository}"
    fix = f"gh api --method POST repos/{fact.repository}/rulesets --input ruleset.json  # docs/doctor.md has that file"
    why = "CI holds a token that writes contents: these rules keep it, and everybody, off main (docs/ci.md)"
    lacking = [words for rule, words in FORGE_RULES.items() if rule not in fact.rules]
    if lacking:
        yield problem(f"{where} do not say {'; nor '.join(lacking)}", why=why, fix=fix)
    unasked = [name for name in fact.wanted if name not in fact.checks]
    if unasked:
        why = "a pull request that these refuse can be merged all the same"
        yield problem(f"{where} do not require the checks {', '.join(unasked)}", why=why, fix=fix)
    if fact.asks_owners is False:
        why = "CODEOWNERS asks for reviews, and nothing waits for them"
        yield warning(f"{where} ask no code owner for a review", why=why, fix=fix)
    if fact.rebases:
        why = "the gate judges one step of main, and refuses a rebase of several commits"
        yield warning(f"{where} let pull requests be rebased", why=why, fix=fix)
    if not lacking and not unasked:
        yield ok(f"{where} ask for a pull request and {', '.join(fact.wanted)}; who may bypass them is not visible")


SAMPLES: dict[ChangeClass, tuple[str, ...]] = {
    ChangeClass.POLICY: ("policy/trust.yaml",),
    ChangeClass.REVOCATION: ("policy/revoked",),
    ChangeClass.BENCHMARK: ("scenarios/a/core/b.yaml", "rubrics/a.yaml", "clusters/a/cluster.yaml"),
    ChangeClass.DATA: ("clusters/a/data/base.jsonl.dvc",),
    ChangeClass.CODE: (".github/workflows/check.yaml", "dvc.yaml", "params.yaml", ".dvc/config"),
    ChangeClass.PROMOTION: ("clusters/a/promotions/1/record.yaml",),
    ChangeClass.ROLLBACK: ("clusters/a/promotions/1/record.yaml",),
}
"""A path of each kind that a class is made of."""


def owners(fact: Owners) -> Iterator[Said]:
    """Where the forge would ask nobody about what the policy asks people about."""
    if not fact.path:
        why = "the forge asks nobody for a review; the gate counts signatures all the same"
        yield warning("there is no CODEOWNERS", why=why, fix="hallmark init --help")
        return
    found = [*_owner_problems(fact)]
    yield from found or [ok(f"{fact.path} names somebody for all that the policy asks people about")]


def _owner_problems(fact: Owners) -> Iterator[Said]:
    read = CodeOwners(fact.text)
    if any(name.startswith(STAND_IN) for name in read.named):
        why = "it stands for your own teams, and the forge passes over owners that it does not know"
        fix = f"sed --in-place 's/{STAND_IN.rstrip('/')}/@YOUR-ORGANISATION/' {fact.path}"
        yield warning(f"{fact.path} still names {STAND_IN}…", why=why, fix=fix)
    for change in sorted(fact.asked & SAMPLES.keys()):
        paths = [path for path in SAMPLES[change] if not read.owners(path)]
        if paths:
            said = f"{fact.path} names nobody for {', '.join(paths)}; the policy asks people about a {change} change"
            yield warning(said, why="the forge asks nobody for a review of it", fix=f"$EDITOR {fact.path}")
    strangers = sorted(read.people - fact.people)
    if read.people & fact.people and strangers:
        said = f"{fact.path} names {', '.join('@' + one for one in strangers)}, who have no key in the policy"
        yield warning(said, why="they are asked for reviews that cannot count", fix="hallmark policy lint")
