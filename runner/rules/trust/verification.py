"""The gate: may main go from `old` to `new`?

A pure function of what was gathered. Policy, keys and limits in the facts are those of `old`; nothing that the pull
request brings can weaken what it is judged by. Every step is taken, and the verdict lists every reason:

0. The policy holds, at the base tip and, where the step changes it, as the next one:
   0.1 files: its three files are there and can be read, and trust.yaml pins the other two;
   0.2 signers: `allowed_signers` has none of OpenSSH's traps;
   0.3 revocations: `revoked` revokes what it seems to;
   0.4 roles: people and machines are apart, and every class can be met, the proposer not counted;
   0.5 expiry: it has not expired, and does not hold for ever;
   0.6 next policy: it can be read.
1. One step forward:
   1.1 parent: the first parent of `new` is `old`;
   1.2 date: `new` is not dated before `old` and, where it is judged as it comes in, not ahead of the clock.
2. What a merge may touch:
   2.1 one class: all paths belong to one change class, and to one promotion at most;
   2.2 operations: the class may add, modify or delete them so;
   2.3 regular files: no links, no submodules;
   2.4 safe names: plain, no longer than 200 characters, each once, and no two that differ only in case;
   2.5 size caps: of each file, and how many there are;
   2.6 frozen sets: what is frozen changes with a new benchmark version only.
3. The order holds:
   3.1 number: a promotion's sequence is the last plus one; a policy's version is the last plus one;
   3.2 stage: a new adapter enters where cluster.yaml says; one that is known moves on from the stage that it holds,
   against the incumbent and the benchmark that it was assessed with; what is deprecated stays out.
4. The diff equals what was signed:
   4.1 digest: its manifest is the one that was proposed;
   4.2 approvals: beside it stand the approvals of this very change and no others.
5. Every incoming commit touches only paths that the merge changes in the end.
6. The evidence holds, whatever it says:
   6.1 files: the record names exactly the evidence files that are there, by sha256;
   6.2 attestation: CI signed their digests, for this cluster, sequence, iteration and adapter;
   6.3 runs: every run of the iteration is listed;
   6.4 ledger: it recorded this adapter and this bundle;
   6.5 grades: each governed scenario is graded once for every model, and on core under every perturbation asked for;
   6.6 scorecard: composites, robustness, comparisons and regressions follow from the grades; the benchmark is governed;
   6.7 traffic: a later stage's results on traffic follow from the grades of each request;
   6.8 deprecation: it says why;
   6.9 hand-off: the hand-off and the cards are what the evidence, and people's files at the base, make of them.
7. People of the policy decided on this very change:
   7.1 signature: there is a proposal, and each decision is signed by the person, and for the purpose, that it says;
   7.2 binding: it is bound to this repository, ref, class, cluster, sequence, stage, policy, context and ledger;
   7.3 time: it holds now, and for no longer than the policy lets it;
   7.4 subjects: it names this manifest, record, evidence and adapter;
   7.5 eligible: people propose and approve who hold a role that the class asks for; a machine only proposes;
   7.6 rejection: nobody eligible rejects, in the merge or on the change's branch;
   and, as `7 quorum`, enough distinct people approve, the proposer not counted.
8. The cluster's limits hold, on figures recomputed from the grades, by the function that phase 12 calls:
   8.1 thresholds, 8.2 significance, 8.3 regressions, 8.4 capabilities, 8.5 robustness, 8.6 human floor, 8.7 latency;
   8.8 rollback contract: it goes back to what is promoted now;
   8.9 restored adapter: a rollback brings back an adapter that was promoted, or the bare base;
   8.10 traffic: enough of it, of the kind and time asked for, and the adapter held up beside the incumbent;
   8.11 rollback drill: a rollback of this very promotion was rehearsed, and fast enough;
   8.12 general: what the base could do beside its task, the candidate still can, where the cluster has a set for it;
   8.13 baseline: asked again, the incumbent answers as before, but for the share that the cluster bears, and no more
   losses than that share go uncounted as its own;
   8.14 outcome types: the least share of each passes on held-out, where the cluster names one;
   8.15 real-only baseline: the candidate is above it on held-out, where the cluster asks for that.
9. What is promoted:
   9.1 bytes: the adapter's were fetched and are the recorded ones;
   9.2 revoked: no subject is, by its digest.
10. What people decided at triage is theirs:
   10.1 signature: a review is signed by its reviewer, and for this purpose, where the cluster asks for it; where it
   does not, a signature that is there holds all the same;
   10.2 binding: to this repository, cluster, iteration and person;
   10.3 time: it is merged while it may be;
   10.4 subjects: it names these decisions, and the list of candidates as it stands;
   10.5 reviewer: a person of the policy, who holds the role that the cluster names;
   10.6 evidence: of a promotion, it says of people what their reviews on main say.

What could not be gathered is an exception of the caller's, not a verdict, and nothing merges.
"""

from __future__ import annotations

from collections.abc import Iterable

from runner.records.change import ChangeClass, Operation
from runner.records.evidence import EvidenceFile
from runner.records.promotion import PromotionKind
from runner.records.verdict import Outcome, Reason, Verdict
from runner.rules.trust.approvals import approval_problems
from runner.rules.trust.change import APPROVALS, net_problems, promotion_place, shape_problems, step_problems
from runner.rules.trust.dates import date_problems
from runner.rules.trust.evidence import evidence_problems
from runner.rules.trust.facts import NO_TRIAGE, Facts
from runner.rules.trust.figures import figures
from runner.rules.trust.frozen import version_problems
from runner.rules.trust.gate import limit_problems
from runner.rules.trust.moves import brought_problems, order_problems
from runner.rules.trust.policy import EXPIRY


def verify(facts: Facts) -> Verdict:
    """Pass, or refuse with every reason."""
    promotion = facts.promotion
    made = figures(promotion) if promotion is not None and promotion.record.assessed else None
    reasons = [
        *_policy(facts),
        *step_problems(facts.old, facts.new, facts.parents, step="1 one step"),
        *date_problems(facts, step="1 one step"),
        *shape_problems(facts.changes, facts.contents, twins=facts.twins, step="2 one class"),
        *(found for one in facts.benchmarks for found in version_problems(one, step="2 one class")),
        *_sequence(facts),
        *(order_problems(promotion) if promotion else ()),
        *_manifest(facts),
        *net_problems(facts.changes, facts.touched, step="5 net paths"),
        *facts.unreadable,
        *(evidence_problems(promotion, made) if promotion else ()),
        *approval_problems(facts),
        *(limit_problems(promotion, made) if promotion else ()),
        *(brought_problems(promotion, now=facts.now) if promotion else ()),
        *_bytes(facts),
        *_triage(facts),
    ]
    outcome = Outcome.REFUSE if reasons or facts.change is None else Outcome.PASS
    return Verdict(outcome=outcome, reasons=tuple(reasons))


def _triage(facts: Facts) -> Iterable[Reason]:
    """Step 10, where the step says something of triage, or would have to."""
    promotion = facts.promotion
    asked = promotion is not None and (
        promotion.before.cluster.triage.signed or EvidenceFile.TRIAGE in promotion.evidence
    )
    if asked or facts.triage is not NO_TRIAGE:
        from runner.rules.trust.triage import triage_problems

        yield from triage_problems(facts)


def _policy(facts: Facts) -> Iterable[Reason]:
    """Step 0, and for a policy change the policy that would follow."""
    yield from facts.policy_problems
    renewing = facts.change in (ChangeClass.POLICY, ChangeClass.REVOCATION)
    if facts.now > facts.trust.expires and not renewing:
        yield Reason(
            step="0 policy", problem=f"{EXPIRY}: the policy expired at {facts.trust.expires}", hint="renew it first"
        )
    if facts.next_policy is not None:
        yield from facts.next_policy.problems


def _sequence(facts: Facts) -> Iterable[Reason]:
    step, rule = "3 sequence", "3.1 number"
    promotion = facts.promotion
    if promotion is not None:
        expected = promotion.before.last + 1
        if facts.place[1] != expected:
            yield Reason(
                step=step, problem=f"{rule}: sequence {facts.place[1]} is proposed", hint=f"{expected} is next"
            )
        if (promotion.record.cluster, promotion.record.sequence) != facts.place:
            yield Reason(
                step=step, problem=f"{rule}: record.yaml is of another cluster or sequence", hint="propose again"
            )
    following = facts.next_policy
    if following is not None and following.trust is not None and following.trust.version != facts.trust.version + 1:
        problem = f"{rule}: policy version {following.trust.version} follows {facts.trust.version}"
        yield Reason(step=step, problem=problem, hint=f"set `version: {facts.trust.version + 1}`")


def _manifest(facts: Facts) -> Iterable[Reason]:
    """Step 4. Each decision's own subjects are compared in step 7; here stands what no decision can say."""
    step, rule = "4 manifest", "4.2 approvals"
    if facts.proposal is not None and facts.proposal.statement is not None:
        signed = facts.proposal.statement.digests().get("change-manifest")
        if signed != facts.manifest:
            problem = f"4.1 digest: the diff's manifest is {facts.manifest[:16]}…, and {str(signed)[:16]}… was proposed"
            yield Reason(step=step, problem=problem, hint="something was added, removed or changed after signing")
    home = f"{APPROVALS}{facts.manifest}/"
    for change in facts.changes:
        if change.path.startswith(APPROVALS) and (facts.promotion or not change.path.startswith(home)):
            yield Reason(step=step, problem=f"{rule}: {change.path} is no approval of this change", hint="remove it")
        place = promotion_place(change.path)
        if place and place.rest.startswith("approvals/") and change.operation is not Operation.ADD:
            yield Reason(
                step=step, problem=f"{rule}: {change.path} changes an approval that was merged", hint="remove it"
            )


def _bytes(facts: Facts) -> Iterable[Reason]:
    step, rule = "9 bytes", "9.1 bytes"
    promotion = facts.promotion
    if promotion is None:
        return
    if promotion.adapter_problem:
        yield Reason(
            step=step,
            problem=f"{rule}: {promotion.adapter_problem}",
            hint="push the adapter's bytes again from its run",
        )
    adapter = promotion.record.adapter
    if adapter is None and promotion.record.kind is PromotionKind.PROMOTION:
        yield Reason(step=step, problem=f"{rule}: a promotion has an adapter", hint="propose again")
    named = {
        "record": promotion.record_sha256,
        "adapter": adapter.sha256 if adapter else "",
        **promotion.record.evidence,
    }
    for name, digest in named.items():
        if digest in facts.revoked:
            yield Reason(
                step=step, problem=f"9.2 revoked: {name} is revoked by its digest", hint="promote something else"
            )
