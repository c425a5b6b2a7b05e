"""When the liquidation bot acts, and on how much."""

from scripts.demo_parts.bots import MINED_WITHIN, SPARE, STYLES, short_accounts, wanted
from scripts.demo_parts.venue import (
    BACKSTOP,
    CALLED,
    HEALTHY,
    LIQUIDATABLE,
    Health,
    Terms,
)

DURATION = 600
QUICK, STEADY, PATIENT = STYLES


def terms(elapsed, least=100, most=1_000):
    return Terms(least, most, 1, 1, elapsed)


def test_first_come_takes_little_more_than_the_least():
    assert wanted(QUICK, terms(0), DURATION) == 100 * SPARE // 10**6


def test_the_others_wait():
    for style in (STEADY, PATIENT):
        assert wanted(style, terms(0), DURATION) == 0
        assert wanted(style, terms(style.patience * DURATION // 10**6), DURATION) > 0


def test_the_patient_takes_all():
    assert wanted(PATIENT, terms(500), DURATION) == 1_000


def test_nobody_is_late():
    for style in STYLES:
        assert wanted(style, terms(DURATION - MINED_WITHIN), DURATION) == 0


def test_whom_it_acts_on():
    states = (HEALTHY, CALLED, LIQUIDATABLE, BACKSTOP, LIQUIDATABLE)
    health = {account: Health(0, 1, state) for account, state in enumerate(states)}
    assert short_accounts(health, own={4}) == [2, 3]
