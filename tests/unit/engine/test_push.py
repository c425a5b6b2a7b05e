"""What a push may change."""

import boa
import pytest

from .harness import PPM, PushRules, System, deploy, pack_line

HALF = 500_000


@pytest.fixture
def due(system: System) -> System:
    """Markets 0 and 1 at severity and depth one half; a push is due."""
    for market in (0, 1):
        system.list(market, severity=HALF, depth=HALF)
    system.wait(3_000)
    return system


def test_push__stores_what_was_pushed(due: System):
    due.push({0: (HALF + 1, HALF - 1), 1: (HALF, HALF)})
    line = due.settings.line_of(0)
    assert (line.severity, line.depth, line.pushed) == (HALF + 1, HALF - 1, due.time)
    (log,) = [e for e in due.engine.get_logs() if type(e).__name__ == "Pushed"]
    assert log.inputs == b"\x11" * 32
    assert [line >> 72 for line in log.lines] == [0, 1]
    assert log.lines[0] >> 32 & (2**40 - 1) == (HALF + 1) << 20 | HALF - 1


@pytest.mark.parametrize(
    ("severity", "depth", "valid"),
    [
        (HALF + 50_000, HALF, True),
        (HALF + 50_001, HALF, False),
        (HALF - 10_000, HALF, True),
        (HALF - 10_001, HALF, False),
        (HALF, HALF + 10_000, True),
        (HALF, HALF + 10_001, False),
        (HALF, HALF - 250_000, True),
        (HALF, HALF - 250_001, False),
    ],
)
def test_push__step__at_the_limit_and_one_beyond(due: System, severity, depth, valid):
    if valid:
        due.push({0: (severity, depth)})
    else:
        with boa.reverts("out of bounds"):
            due.push({0: (severity, depth)})


def test_push__one_bad_line__reverts_all(due: System):
    with boa.reverts("out of bounds"):
        due.push({0: (HALF + 1, HALF), 1: (HALF + 50_001, HALF)})
    assert due.settings.line_of(0).severity == HALF


@pytest.mark.parametrize(("start", "new", "valid"), [(PPM, PPM, True), (PPM, PPM + 1, False)])
def test_push__severity_bound(system: System, start: int, new: int, valid: bool):
    system.list(0, severity=start)
    system.wait(3_000)
    if valid:
        system.push({0: (new, PPM)})
    else:
        with boa.reverts("out of bounds"):
            system.push({0: (new, PPM)})


@pytest.mark.parametrize(
    ("start", "new", "valid"),
    [(PPM, PPM + 1, False), (250_000, 250_000, True), (250_000, 249_999, False)],
)
def test_push__depth_bounds(system: System, start: int, new: int, valid: bool):
    system.list(0, depth=start)
    system.wait(3_000)
    if valid:
        system.push({0: (0, new)})
    else:
        with boa.reverts("out of bounds"):
            system.push({0: (0, new)})


def test_push__depth_min_raised_above_the_depth__may_stay_or_rise(system: System):
    system.list(0, depth=250_000)
    rules = list(PushRules().tuple())
    rules[-1] = 400_000
    with system.as_owner():
        system.settings.set_push_rules(rules)
    system.wait(3_000)
    with boa.reverts("out of bounds"):
        system.push({0: (0, 249_999)})
    system.push({0: (0, 250_000)})
    system.wait(3_000)
    system.push({0: (0, 260_000)})


@pytest.mark.parametrize(("delay", "valid"), [(2_999, False), (3_000, True)])
def test_push__min_delay(system: System, delay: int, valid: bool):
    system.list(0)
    system.wait(delay)
    if valid:
        system.push({0: (0, PPM)})
    else:
        with boa.reverts("too soon"):
            system.push({0: (0, PPM)})


@pytest.mark.parametrize("off", [-1, 1])
def test_push__wrong_nonce__reverts(due: System, off: int):
    with boa.reverts("nonce"):
        due.push({0: (HALF, HALF)}, nonces={0: due.nonce(0) + off})


def test_push__twice_the_same_asset__reverts(due: System):
    nonce = due.nonce(0)
    rows = [pack_line(0, HALF, HALF, nonce)] * 2
    message = {"inputs": bytes(32), "valid_until": due.time, "lines": rows}
    signatures = [s.sign(due.engine.address, "Push", message) for s in due.signers]
    with boa.reverts("nonce"):
        due.engine.push(bytes(32), due.time, rows, signatures)


def test_push__replayed__reverts(due: System):
    signed = due.sign_push({0: (HALF, HALF)}, valid_until=due.time + 10**6)
    due.engine.push(*signed)
    due.wait(3_000)
    with boa.reverts("nonce"):
        due.engine.push(*signed)


def test_push__not_listed__reverts(due: System):
    with boa.reverts("nonce"):
        due.push({2: (0, PPM)}, nonces={2: 0})
    with boa.reverts():
        due.push({40: (0, PPM)}, nonces={40: 0})


@pytest.mark.parametrize(("late", "valid"), [(0, True), (1, False)])
def test_push__valid_until(due: System, late: int, valid: bool):
    signed = due.sign_push({0: (HALF, HALF)}, valid_until=due.time)
    due.wait(late)
    if valid:
        due.engine.push(*signed)
    else:
        with boa.reverts("expired"):
            due.engine.push(*signed)


def test_push__paused__reverts(due: System):
    with due.as_guardian():
        due.engine.pause()
    with boa.reverts("paused"):
        due.push({0: (HALF, HALF)})


def test_push__other_values_than_signed__reverts(due: System):
    inputs, until, rows, signatures = due.sign_push({0: (HALF, HALF)})
    with boa.reverts("bad signer"):
        due.engine.push(inputs, until, [rows[0] + (1 << 52)], signatures)
    with boa.reverts("bad signer"):
        due.engine.push(bytes(32), until, rows, signatures)
    with boa.reverts("bad signer"):
        due.engine.push(inputs, until + 1, rows, signatures)


def test_push__for_a_report__reverts(due: System):
    """A report's signatures are none for a push."""
    *_, signatures = due.sign_report({0: 1})
    inputs, until, rows, _ = due.sign_push({0: (HALF, HALF)})
    with boa.reverts("bad signer"):
        due.engine.push(inputs, until, rows, signatures)


def test_push__too_few_signers__reverts(due: System):
    with boa.reverts("quorum"):
        due.push({0: (HALF, HALF)}, signers=due.signers[:1])


def test_push__no_lines__is_harmless(due: System):
    due.push({})


def test_push__hostile_day__moves_mm_by_the_slope_only():
    system = deploy()
    system.list(0)
    for i in range(28):
        system.wait(3_000)
        system.push({0: (min(PPM, 50_000 * (i + 1)), max(250_000, PPM - 250_000 * (i + 1)))})
        s_mm, s_im, d_mm, d_im = system.engine.severity_now(0)
        assert s_mm <= 50_000 * 3_000 * i // 3_600 + 1
        assert s_im >= system.settings.line_of(0).severity >= s_mm
        assert d_im <= system.settings.line_of(0).depth <= d_mm
