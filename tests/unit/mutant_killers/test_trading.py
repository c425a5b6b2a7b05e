"""Gates and fees of trades. Every verb is also compared with the reference model, word for word."""

from __future__ import annotations

from oracle.engine.margin import Basis
from oracle.engine.rounding import mul_div_ceil, wad_mul_ceil
from oracle.engine.units import PPM, WAD
from tests.stateful.actions import Actions
from tests.stateful.stage import Stage

from .reading import cash_of

TRADER, TRADER_ISOLATED, HEDGER = 2, 3, 4  # places in stage.accounts
ODD_SIZE, ODD_PRICE = 123_456_789_012_345_677, 100 * WAD + 987_654_321


def test_round_trip__at_one_odd_price__gains_no_wei(stage: Stage, do: Actions) -> None:
    for sign in (1, -1):
        saved = stage.snapshot()
        buyer = do.liquidator  # flat
        before = cash_of(stage, do.liquidator) + cash_of(stage, do.backer)
        fees = stage.words["tally 0 fees"]
        own = mul_div_ceil(wad_mul_ceil(ODD_SIZE, ODD_PRICE), 100, PPM)
        assert stage.trade(buyer, do.backer, 0, sign * ODD_SIZE, ODD_PRICE).ok
        assert stage.trade(buyer, do.backer, 0, -sign * ODD_SIZE, ODD_PRICE).ok
        paid = stage.words["tally 0 fees"] - fees
        assert cash_of(stage, do.liquidator) + 2 * own <= 5_000_000 * WAD
        assert cash_of(stage, do.liquidator) + cash_of(stage, do.backer) + paid <= before
        stage.restore(saved)


def test_fees__are_paid_by_both_and_round_up(stage: Stage, do: Actions) -> None:
    maker, taker = stage.accounts[TRADER], do.liquidator
    before, fees = cash_of(stage, do.liquidator), stage.words["tally 0 fees"]
    assert stage.trade(maker, taker, 0, ODD_SIZE, ODD_PRICE).ok
    paid = before - cash_of(stage, do.liquidator)
    assert paid * PPM * WAD >= ODD_SIZE * ODD_PRICE * 500
    assert stage.words["tally 0 fees"] - fees > paid


def test_requirement__rounds_up(stage: Stage, do: Actions) -> None:
    legs = [(2, ODD_SIZE, 0, 0)]
    notional = wad_mul_ceil(ODD_SIZE, do.mark(2))
    for basis, rate in ((0, 100_000), (2, 40_000)):
        answer = stage.engine.call("assess", basis, 0, 0, legs, [])
        assert notional * rate % PPM
        assert answer[1] == notional * rate // PPM + 1


def test_trade__in_a_reduce_only_market__cannot_increase(stage: Stage, do: Actions) -> None:
    trader = stage.accounts[TRADER]
    stage.set_reduce_only(0, True)
    assert not stage.trade(trader, do.backer, 0, WAD, do.mark(0)).ok
    assert stage.trade(trader, do.backer, 0, -WAD, do.mark(0)).ok


def test_reduction__below_initial_margin__must_improve(stage: Stage, do: Actions) -> None:
    trader = stage.accounts[TRADER_ISOLATED]
    price = do.price_where(trader, 1, (1, 2))
    assert price is not None
    do.move_to(1, price)
    do.calm()
    size = do.size(trader, 1) // 4
    worst = -(-do.mark(1) * (PPM - 50_000) // PPM)
    assert stage.trade(trader, do.backer, 1, -size, worst).reason == "margin"
    assert stage.trade(trader, do.backer, 1, -size, do.mark(1)).ok


def test_initial_margin__above_the_soft_cap__grows_with_open_interest(
    stage: Stage, do: Actions
) -> None:
    """Without it the trade itself would be allowed."""
    plain = stage.engine.call("assess", 0, 0, 0, [(0, WAD, 0, 0)], [])[1]
    crowded = stage.engine.call("assess", 0, 0, 0, [(0, WAD, 0, 65_000 * WAD)], [])[1]
    assert crowded == 55 * WAD
    assert plain == 10 * WAD


def test_open_at_the_limit__one_wei_more__is_refused(stage: Stage, do: Actions) -> None:
    trader = stage.accounts[TRADER]
    assert do.trade_near(trader, do.liquidator, 0, True, 1).reason == "initial margin"
    assert do.trade_near(trader, do.liquidator, 0, True, 0).ok
    now = stage.model.margin(Basis.INITIAL, trader)
    assert now.equity >= now.requirement


def test_closing_one_of_three_legs__leaves_the_others_in_the_book(
    stage: Stage, do: Actions
) -> None:
    trader = stage.accounts[TRADER]
    assert do.reduce(trader, do.backer, 0, PPM, 0, 0).ok
    legs = stage.ledger.call("book", trader)[3]
    assert [leg[0] for leg in legs] == [1, 2]


def test_trade__by_a_gateway_the_account_did_not_choose__is_refused(
    stage: Stage, do: Actions
) -> None:
    trader = stage.accounts[TRADER]
    assert stage.configure(trader, 2, 0).ok
    done = stage.trade(trader, do.backer, 0, WAD, do.mark(0))
    assert done.reason == "not opted in"
    assert done.receipt.reason == "not opted in"
