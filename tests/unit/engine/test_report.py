"""What a report may say and what becomes of it."""

from random import Random

import boa
import pytest

from .harness import START, WAD, Config, System, default_config, deploy, quote


def test_report__first_price__is_accepted(system: System):
    system.list(0)
    assert system.report({0: 2_000 * WAD}) == [quote(2_000 * WAD)]
    price = system.engine.price_of(0)
    assert (price.price, price.observed, price.state) == (2_000 * WAD, START, 0)


def test_report__three_quotes__takes_the_median(live: System):
    live.wait(60)
    (accepted,) = live.report({0: (2_002 * WAD, 2_000 * WAD, 2_001 * WAD)})
    assert accepted == quote(2_001 * WAD)


def test_report__two_quotes__takes_the_lower_middle(live: System):
    live.wait(60)
    (accepted,) = live.report({0: (2_002 * WAD, 2_001 * WAD)}, signers=live.signers[:2])
    assert accepted == quote(2_001 * WAD)


@pytest.mark.parametrize("count", range(6, 10))
def test_report__any_order__is_the_sorted_middle(count: int):
    system = deploy(signers=9, quorum=6)
    random = Random(count)
    for asset in range(8):
        quotes = [random.randrange(1_999, 2_002) * WAD for _ in range(count)]
        system.list(asset)
        (accepted,) = system.report({asset: quotes}, signers=system.signers[:count])
        assert accepted == quote(sorted(quotes)[(count - 1) // 2])


@pytest.mark.parametrize(("high", "accepted"), [(2_010 * WAD, True), (2_010 * WAD + 1, False)])
def test_report__spread__at_the_limit_and_one_above(live: System, high: int, accepted: bool):
    live.wait(60)
    (got,) = live.report({0: (2_000 * WAD, 2_000 * WAD, high)})
    assert (got != 0) == accepted
    assert live.engine.price_of(0).observed == (START + 60 if accepted else START)


def test_report__spread_of_one_asset__does_not_stop_the_batch(live: System):
    live.wait(60)
    got = live.report({0: (2_000 * WAD, 2_000 * WAD, 2_100 * WAD), 32: WAD})
    assert got == [0, quote(WAD)]


@pytest.mark.parametrize("price", [0, 10**27 + 1, 2**223])
def test_report__price_out_of_range__is_skipped(live: System, price: int):
    live.wait(60)
    assert live.report({0: price, 32: WAD}) == [0, quote(WAD)]


def test_report__highest_price__is_accepted(system: System):
    system.list(0)
    assert system.report({0: 10**27}) == [quote(10**27)]


def test_report__hostile_quote_of_one_signer__neither_reverts_nor_counts(live: System):
    live.wait(60)
    assert live.report({0: (2_000 * WAD, 2_000 * WAD, 2**223)}) == [0]


@pytest.mark.parametrize("offset", [1, 59])
def test_report__off_the_grid__reverts(live: System, offset: int):
    live.wait(120)
    with boa.reverts("period"):
        live.report({0: 2_000 * WAD}, observed=live.grid - offset)


def test_report__future__reverts(live: System):
    with boa.reverts("period"):
        live.report({0: 2_000 * WAD}, observed=START + 60)


@pytest.mark.parametrize(("age", "valid"), [(120, True), (121, False)])
def test_report__two_periods_old__is_the_limit(live: System, age: int, valid: bool):
    observed = START + 600
    live.at(observed + age)
    if valid:
        assert live.report({0: 2_000 * WAD}, observed=observed) != [0]
    else:
        with boa.reverts("expired"):
            live.report({0: 2_000 * WAD}, observed=observed)


def test_report__not_newer__is_skipped_and_the_rest_goes_on(live: System):
    live.wait(60)
    live.report({0: 2_000 * WAD})
    live.wait(30)
    assert live.report({0: 2_001 * WAD, 32: WAD}) == [0, quote(WAD)]
    assert live.engine.price_of(0).price == 2_000 * WAD


def test_report__second_in_a_block__is_skipped(live: System):
    live.wait(120)
    live.report({0: 2_000 * WAD}, observed=live.grid - 60)
    assert live.report({0: 2_001 * WAD}) == [0]
    live.wait(1)
    assert live.report({0: 2_001 * WAD}) != [0]


def test_report__same_asset_twice__counts_once(live: System):
    live.wait(60)
    observed, assets, quotes, _ = live.sign_report({0: 2_001 * WAD})
    message = {"observed": observed, "assets": assets * 2, "quotes": quotes[:1] * 2}
    signatures = [s.sign(live.engine.address, "Report", message) for s in live.signers]
    assert live.send(observed, assets * 2, quotes * 2, signatures) == [quote(2_001 * WAD), 0]


def test_report__not_listed__is_skipped(live: System):
    live.wait(60)
    assert live.report({7: WAD, 0: 2_000 * WAD}) == [0, quote(2_000 * WAD)]


def test_report__no_such_asset__reverts(live: System):
    live.wait(60)
    with boa.reverts():
        live.report({40: WAD})


def test_report__lengths_differ__reverts(live: System):
    live.wait(60)
    observed, assets, quotes, signatures = live.sign_report({0: WAD, 32: WAD})
    with boa.reverts("bad parameters"):
        live.engine.report(observed, assets, quotes[:-1], signatures)


def test_report__paused__reverts(live: System):
    live.wait(60)
    with live.as_guardian():
        live.engine.pause()
    with boa.reverts("paused"):
        live.report({0: 2_000 * WAD})


def test_report__all_assets_nine_signers__fits_a_block(system: System):
    big = deploy(signers=9, quorum=6)
    for asset in range(40):
        big.list(asset, config=default_config(asset))
    assert all(big.report(dict.fromkeys(range(40), WAD)))
    assert big.engine._computation.get_gas_used() < 4_000_000


# --- funding -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("premium", "rate"),
    [(0, 0), (36, 125), (1, 3), (-1, -4), (10_000, 34_722), (10_001, 34_722), (-99_999, -34_723)],
)
def test_funding__rate__is_the_clamped_premium_rounded_down(live: System, premium: int, rate: int):
    live.wait(60)
    live.report({0: 2_000 * WAD}, premium=premium)
    assert live.engine.price_of(0).rate == rate


def test_funding__accrues_at_the_old_rate_from_report_to_report(live: System):
    live.wait(60 + 7)
    live.report({0: 2_000 * WAD}, premium=100)
    rate = 100 * 125 // 36
    live.wait(100)
    f = 2_000 * WAD * rate * 100 // 10**11
    assert live.engine.price_of(0).funding == f
    live.report({0: 2_010 * WAD}, premium=-100)
    assert live.engine.price_of(0).funding == f
    live.wait(50)
    back = 2_010 * WAD * (-100 * 125 // 36) * 50 // 10**11
    assert live.engine.price_of(0).funding == f + back


def test_funding__stops_at_price_max_age(live: System):
    live.wait(60 + 7)
    live.report({0: 2_000 * WAD}, premium=100)
    live.wait(5_000)
    f = 2_000 * WAD * (100 * 125 // 36) * (600 - 7) // 10**11
    assert live.engine.quote(0).funding == f
    live.report({0: 2_000 * WAD})
    assert live.engine.quote(0).funding == f


def test_funding__bound__is_never_passed():
    system = deploy()
    config = Config(funding_cap=100_000, price_max_age=65_532, open_max_age=4_092)
    system.list(0, config=config, price=10**27)
    for _ in range(45):
        system.wait(65_520)
        assert system.report({0: 10**27}, premium=10**6) != [0]
    assert system.engine.price_of(0).funding == 87 * 10**26
    system.wait(65_532)
    assert system.engine.price_of(0).funding < 9 * 10**27
    leg = (0, 2**111 - 1, 0, 2**111 - 1)
    assert system.assess(0, legs=[leg]).equity < 0
    for _ in range(90):
        system.wait(65_520)
        system.report({0: 10**27}, premium=-(10**6))
    assert system.engine.price_of(0).funding == -87 * 10**26
