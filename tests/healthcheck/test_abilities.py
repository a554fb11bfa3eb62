"""What the site can do, derive_ability (docs/health.md, 20)."""

import pytest

from healthcheck.abilities import decisive, derive_ability
from healthcheck.declared import AbilityTask
from healthcheck.report import Finding

TASK = AbilityTask(name="decide", label="Decide", needs=("model",))
WELL, BAD, WARNS = Finding("healthy", "fine"), Finding.timeout("no answer"), Finding("warning", "slow")
UNSURE, RESTS = Finding.unjudged("cannot be judged"), Finding.pause("maintenance")


class Component:
    name = "model"

    def __init__(self, finding):
        self.finding = finding


@pytest.mark.parametrize(
    ("component", "own", "answer", "blamed"),
    [
        (WELL, None, "yes", ""),
        (WELL, WELL, "yes", ""),
        (WARNS, WELL, "yes", ""),  # a component that warns still works
        (WELL, WARNS, "no", ""),  # the ability's own warning is its objection
        (BAD, WELL, "no", "model"),
        (UNSURE, WELL, "unknown", "model"),
        (RESTS, WELL, "paused", "model"),
        (WELL, RESTS, "paused", ""),
        (WELL, UNSURE, "unknown", ""),
        (BAD, RESTS, "no", "model"),  # what is broken outweighs what rests
        (UNSURE, RESTS, "unknown", "model"),
    ],
)
def test_the_weightiest_objection_wins(component, own, answer, blamed):
    found = derive_ability(TASK, [Component(component)], own)

    assert (found.answer, found.blamed) == (answer, blamed)
    assert found.reason in {"yes": (own, found.reason)}.get(answer, (component, own))


def test_a_no_decides_for_all_before_an_unknown_a_pause_and_a_yes():
    answers = [derive_ability(TASK, [Component(finding)], None) for finding in (WELL, RESTS, UNSURE, BAD)]

    assert [decisive(answers[:end]).answer for end in range(1, 5)] == ["yes", "paused", "unknown", "no"]


def test_an_ability_runs_its_own_probe_only_while_its_dependencies_are_up(engine_of, probe, scripts):
    model, own = scripts(), scripts(Finding.pause("switched off"))
    task = probe("model", model)
    path = probe("own", own).probe
    decide = AbilityTask(name="decide", label="Decide", needs=("model",), probe=path)
    engine = engine_of(task, abilities=[decide])

    snapshot = engine.snapshot()
    assert (snapshot.can_act, snapshot.can_act_because.reason.english) == ("paused", "switched off")

    model.finding = BAD
    down = engine_of(task, abilities=[decide])
    before = own.runs
    assert down.snapshot().can_act == "no"
    assert down.snapshot().can_act_because.blamed == "model"
    assert own.runs - before <= 1  # it began together with the model, before its state was known
