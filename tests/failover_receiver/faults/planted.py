"""The faults: each a mistake that somebody could make in one line, and that no sequence may miss."""

from tests.failover_receiver.faults.planting import Fault
from tests.failover_receiver.invariants import Invariant

MOVED, USABLE, DOCUMENTS = Invariant.MOVED, Invariant.USABLE, Invariant.DOCUMENTS
SAME, REFUSED, TOLD, SETTLED = Invariant.SAME, Invariant.REFUSED, Invariant.TOLD, Invariant.SETTLED

FAULTS = (
    # 1. Only a firing alert or an operator moves a worker.
    Fault(
        "an Up from before the Down's end lets it in",
        MOVED,
        "core",
        "if up.heard_at < _out_until(alerts, policy):",
        "if up.heard_at < 0:",
    ),
    Fault(
        "an Up outranks a Down",
        MOVED,
        "core",
        "    if down is not None:\n",
        "    if down is not None and up is None:\n",
    ),
    Fault(
        "an alert that is heard no more goes on for ever",
        MOVED,
        "firing",
        "alert.ended_at is None and now < alert.heard_at + policy.alert_lifetime",
        "alert.ended_at is None",
    ),
    Fault(
        "a blind receiver moves workers",
        MOVED,
        "core",
        "    if monitoring is Monitoring.LIVE:\n",
        "    if monitoring in Monitoring:\n",
    ),
    Fault(
        "a vantage that sees nothing is believed",
        MOVED,
        "core",
        "alert.action is Action.HOLD and active",
        "alert.action is Action.SPARE and active",
    ),
    Fault(
        "there is no hold-down",
        MOVED,
        "core",
        "now >= recovering.up_since + hold_down(recovering, policy)",
        "now >= recovering.up_since",
    ),
    Fault(
        "the hold-down is not doubled",
        MOVED,
        "core",
        "len(worker.failures) - 1",
        "len(worker.failures) - 999",
    ),
    Fault(
        "what an operator overruled counts when it is told again",
        MOVED,
        "hearing",
        "overruled=known.overruled and not over",
        "overruled=False",
    ),
    Fault(
        "a clock that was set back is not noticed",
        MOVED,
        "hearing",
        "if not alerts and not workers and state.read_at <= now:",
        "if now:",
    ),
    Fault(
        "what was heard of the old key is held against the new one",
        MOVED,
        "hearing",
        "kept = known is None or known.spec.public_key == spec.public_key",
        "kept = name != ''",
    ),
    Fault(
        "an incomplete reading ends what it does not list",
        MOVED,
        "hearing",
        "    if event.complete:\n",
        "    if event.alerts:\n",
    ),
    # 2. Only an operator empties what may be used.
    Fault(
        "the last one may be taken out",
        USABLE,
        "core",
        "max(1.0, policy.least_serving * len(could_serve))",
        "policy.least_serving * len(could_serve)",
    ),
    Fault(
        "drained workers count as ones that could serve",
        USABLE,
        "core",
        "if worker.proven and not worker.drain and not worker.banned",
        "if worker.proven and not worker.banned",
    ),
    Fault(
        "a worker may empty what may be used",
        USABLE,
        "hearing",
        "if not any(one.state in USABLE for one in state.published if one.name != name):",
        "if not state.published:",
    ),
    Fault(
        "recovering workers are not in trouble",
        USABLE,
        "core",
        "if workers[name].failed_at is not None}",
        "if workers[name].failed_at is not None and workers[name].up_since is None}",
    ),
    Fault(
        "the first in trouble is taken out all the same",
        USABLE,
        "core",
        "doubted = in_trouble if panic else set()",
        "doubted = in_trouble - {next(iter(workers))} if panic else set()",
    ),
    # 3. Documents.
    Fault(
        "another document under the same number",
        DOCUMENTS,
        "core",
        "generation=before.generation + 1",
        "generation=max(1, before.generation)",
    ),
    Fault(
        "blindness alone is not published",
        DOCUMENTS,
        "core",
        "published != before.published or settled.monitoring != before.monitoring",
        "published != before.published",
    ),
    Fault(
        "what only the state holds is not kept",
        DOCUMENTS,
        "core",
        "(Persist(),) if _lasts(before, settled) else ()",
        "()",
    ),
    Fault(
        "the document is shown before what led to it is told",
        DOCUMENTS,
        "core",
        "(*decided, Publish(peer_set(state, policy)))",
        "(Publish(peer_set(state, policy)), *decided)",
    ),
    # 4. The same alerts, however they come.
    Fault(
        "each repetition of a Down is another failure",
        SAME,
        "core",
        "return worker if failed == worker else failed",
        "return replace(failed, failures=(*worker.failures, now))",
    ),
    Fault(
        "the order within a batch counts",
        SAME,
        "hearing",
        "sorted(seen, key=lambda one: (one.starts_at, not one.firing, one.fingerprint))",
        "list(seen)",
    ),
    Fault(
        "it matters whether Up or Down came first",
        SAME,
        "core",
        "    if up is not None and not worker.proven:\n",
        "    if up is not None and not worker.proven and foremost(alerts, Action.FAILOVER, now, policy) is None:\n",
    ),
    Fault(
        "a late delivery begins it again",
        SAME,
        "hearing",
        "and seen.seen_at <= known.ended_at + late",
        "and seen.seen_at <= known.ended_at",
    ),
    Fault(
        "the end of an earlier one ends the present one",
        SAME,
        "hearing",
        "if seen.ends_at < known.starts_at or seen.ends_at + late < known.heard_at:",
        "if seen.ends_at + late < known.heard_at:",
    ),
    Fault(
        "an end from long before it was last heard ends it",
        SAME,
        "hearing",
        "if seen.ends_at < known.starts_at or seen.ends_at + late < known.heard_at:",
        "if seen.ends_at < known.starts_at:",
    ),
    Fault(
        "a recovery that proves to be none stands",
        SAME,
        "core",
        "return worker if worker.up_since is None else replace(worker, up_since=None)",
        "return worker",
    ),
    # 5. Refusals.
    Fault(
        "a refused command leaves something behind",
        REFUSED,
        "hearing",
        "        if not force:\n",
        "        if not force:\n            state.workers[name] = replace(worker, proven=True)\n",
    ),
    Fault(
        "a worker is admitted without force",
        REFUSED,
        "hearing",
        "        if not force:\n",
        "        if not force and policy.least_serving > 1:\n",
    ),
    Fault(
        "a new key is taken without being meant",
        REFUSED,
        "hearing",
        "    if not new_key:\n",
        "    if name not in name:\n",
    ),
    # What is said.
    Fault(
        "the time since when begins anew with each document",
        TOLD,
        "core",
        "before.since.get(one.name, now) if was.get",
        "now if was.get",
    ),
    Fault(
        "a worker that nobody probes is called monitored",
        TOLD,
        "core",
        "return now < last_heard(alerts) + policy.worker_silence",
        "return last_heard(alerts) > 0",
    ),
    Fault(
        "each worker that serves is said to be up",
        TOLD,
        "core",
        "Reason.ADMITTED if worker.admitted else Reason.UP",
        "Reason.UP",
    ),
    # When.
    Fault(
        "nobody wakes it at a hold-down's end",
        SETTLED,
        "core",
        "        if worker.up_since is not None\n    ]",
        "        if worker.up_since is not None and worker.banned\n    ]",
    ),
    Fault(
        "nobody wakes it when the Watchdog is overdue",
        SETTLED,
        "core",
        "for a in alerts if a.action is Action.WATCHDOG]",
        "for a in alerts if a.action is Action.HOLD]",
    ),
)
