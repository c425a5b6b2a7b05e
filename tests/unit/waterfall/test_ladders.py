"""Every combination of both ladders: who takes the position, and who pays the hole, to the wei."""

from __future__ import annotations

from itertools import product

import boa
import pytest

from tests.unit.liquidator.stage import AFTERMATH
from tests.unit.vault.rooms import MARK, USD, WAD, Rooms

DUST = 10**12  # [USD wad] a deleveraging keeps 10^10 back for the gap of sizes
DEFICIT = 500 * USD
TAKERS = ("vault", "opposite")
FUNDS = ("all", "part", "none")
CHARGES = ("enough", "ceiling", "nothing")


def bankrupt(rooms: Rooms, side: int, reference: int) -> int:
    """Long or short 10 with 1,000, the mark 150 against it; P_ref as given."""
    stage = rooms.stage
    account = rooms.book({0: side * 10 * WAD}, 1_000)
    stage.engine.set_mark(0, MARK - side * 150 * USD)
    stage.engine.set_state(0, AFTERMATH)
    stage.engine.set_reference(0, reference, 2)
    assert stage.margin(account)[0] == -DEFICIT
    return account


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize(("taker", "fund", "charge"), product(TAKERS, FUNDS, CHARGES))
def test_hole__every_combination(
    rooms: Rooms, side: int, taker: str, fund: str, charge: str
) -> None:
    """D = 500: b is 500, 123 and 1 wei, or nothing; c all, 85 or 115, or nothing; d the rest."""
    stage = rooms.stage
    mark = MARK - side * 150 * USD
    reference = {
        "enough": MARK,
        "ceiling": mark,  # no move since: calm MMR_0 of it is sure, 1 %
        "nothing": mark - side * 150 * USD,
    }[charge]
    account = bankrupt(rooms, side, reference)
    if taker == "vault":
        rooms.ring(0, 10_000 * USD)
    bucket = {"all": DEFICIT, "part": 123 * USD + 1, "none": 0}[fund]
    rooms.bucket(0, bucket)
    sure = stage.liquidator.sure_of(0, side < 0)
    insurance = stage.custody.totals().insurance
    dust = rooms.dust(account)
    others = stage.margin(stage.maker, 1)[0]
    (leg,), whole = rooms.resolve(account)
    insured = min(DEFICIT, bucket)
    charged = min(DEFICIT - insured, 1_500 * USD, sure)
    assert leg.taken is (taker == "vault")
    assert (leg.deficit, leg.insured, leg.charged) == (DEFICIT, insured, charged)
    assert (whole.deficit, whole.insured, whole.charged) == (DEFICIT, insured, charged)
    assert whole.socialised == DEFICIT - insured - charged
    assert (
        charged
        == {
            "enough": DEFICIT - insured,
            "ceiling": min(DEFICIT - insured, sure),
            "nothing": 0,
        }[charge]
    )
    assert stage.custody.totals().deficit == whole.socialised
    assert insurance - stage.custody.totals().insurance == insured
    assert 0 <= others - stage.margin(stage.maker, 1)[0] - charged <= DUST
    assert stage.size(stage.maker) == (-side * 10 * WAD if taker == "vault" else 0)
    assert stage.cash(account) == 0
    assert 0 <= rooms.dust(account) - dust <= DUST


@pytest.mark.parametrize("short", [-2, -1, 0, 1, 2])
def test_insurance__exactly_enough_and_a_wei_short(rooms: Rooms, short: int) -> None:
    account = bankrupt(rooms, 1, MARK - 150 * USD)
    rooms.bucket(0, DEFICIT - short)
    _, whole = rooms.resolve(account)
    assert whole.insured == DEFICIT - max(0, short)
    assert whole.charged == max(0, short)
    assert whole.socialised == 0


@pytest.mark.parametrize(("short", "begun"), [(0, 0), (100 * USD, 0), (100 * USD + 1, 1)])
def test_aftermath__begins_only_for_what_the_bucket_does_not_cover(
    rooms: Rooms, short: int, begun: int
) -> None:
    """A deficit of 500 that is insured down to min_deficit, 100, freezes nobody's market."""
    account = bankrupt(rooms, 1, MARK)
    rooms.bucket(0, DEFICIT - short)
    before = rooms.stage.engine.aftermaths(0)
    _, whole = rooms.resolve(account)
    assert whole.insured == DEFICIT - short
    assert rooms.stage.engine.aftermaths(0) - before == begun


@pytest.mark.parametrize("short", [-2, -1, 0, 1, 2])
def test_ceiling__of_the_charge__around_what_is_due(rooms: Rooms, short: int) -> None:
    stage = rooms.stage
    account = bankrupt(rooms, 1, MARK - 150 * USD)
    sure = stage.liquidator.sure_of(0, False)
    rooms.set_cash(account, 1_500 * USD - sure - short)
    _, whole = rooms.resolve(account)
    assert whole.deficit == sure + short
    assert whole.charged == sure + min(0, short)
    assert whole.socialised == max(0, short)


@pytest.mark.parametrize("deficit", [1, 2, 500 * USD + 1, 997 * USD - 1])
def test_split_by_loss__the_last_losing_market_takes_the_rounding(
    rooms: Rooms, deficit: int
) -> None:
    """Three losing legs and a winning one after them: sum of D_m = D, and nothing is socialised
    for the sake of a wei. Losses 600, 700 and 910 of W = 2,210; D_0 = floor(D·600/2,210)."""
    stage = rooms.stage
    account = rooms.book({0: 10 * WAD, 1: 10 * WAD, 2: 10 * WAD, 3: WAD}, 10_000)
    for market, fall in enumerate((60, 70, 91, -5)):
        stage.engine.set_mark(market, MARK - fall * USD)
        stage.engine.set_state(market, AFTERMATH)
        stage.engine.set_reference(market, MARK, 2)
    rooms.set_cash(account, 2_205 * USD - deficit)
    legs, whole = rooms.resolve(account)
    losses = [600 * USD, 700 * USD, 910 * USD, 0]
    assert [leg.loss for leg in legs] == losses
    shares = [deficit * loss // (2_210 * USD) for loss in losses[:2]]
    assert [leg.deficit for leg in legs] == [*shares, deficit - sum(shares), 0]
    assert (whole.deficit, whole.charged, whole.socialised) == (deficit, deficit, 0)


@pytest.mark.parametrize("cash", [-2, -1, 0, 1])
def test_loss_of_the_leg__bounds_its_charge(rooms: Rooms, cash: int) -> None:
    """Cash below nothing beforehand is not the leg's doing: it is socialised."""
    account = bankrupt(rooms, 1, MARK)
    rooms.set_cash(account, cash)
    _, whole = rooms.resolve(account)
    assert whole.deficit == 1_500 * USD - cash
    assert whole.charged == min(1_500 * USD, 1_500 * USD - cash)
    assert whole.socialised == max(0, -cash)


def test_flat_debtor__takes_the_interest_bucket_then_is_socialised(rooms: Rooms) -> None:
    stage = rooms.stage
    debtor = rooms.book({}, 0)
    rooms.set_cash(debtor, -300 * USD)
    rooms.bucket(32, 120 * USD + 1)
    rooms.bucket(0, 10_000 * USD)
    legs, whole = rooms.resolve(debtor)
    assert legs == []
    assert (whole.deficit, whole.insured, whole.charged) == (300 * USD, 120 * USD + 1, 0)
    assert whole.socialised == 180 * USD - 1
    assert stage.cash(debtor) == 0
    with boa.reverts("healthy"):
        stage.liquidator.resolve(debtor)


@pytest.mark.parametrize("taker", TAKERS)
def test_legs_of_a_debtor_that_all_win__his_hole_is_nobodys_market(
    rooms: Rooms, taker: str
) -> None:
    """W = 0: to the interest bucket, the rest socialised; the legs close at mark uncharged."""
    stage = rooms.stage
    account = rooms.book({0: 10 * WAD, 1: -WAD}, 2_000)
    stage.engine.set_mark(0, MARK + 10 * USD)
    rooms.set_cash(account, -400 * USD)
    if taker == "vault":
        for market in range(2):
            rooms.ring(market, 10_000 * USD)
    rooms.bucket(0, 10_000 * USD)
    rooms.bucket(32, USD)
    before = stage.margin(stage.maker, 1)[0]
    legs, whole = rooms.resolve(account)
    assert [leg.taken for leg in legs] == [taker == "vault"] * 2
    assert [(leg.loss, leg.deficit, leg.charged) for leg in legs] == [(0, 0, 0)] * 2
    assert (whole.deficit, whole.insured, whole.charged) == (300 * USD, USD, 0)
    assert whole.socialised == 299 * USD
    assert 0 <= before - stage.margin(stage.maker, 1)[0] <= DUST


def test_size_of_one_wei__is_resolved(rooms: Rooms) -> None:
    """Q = 1 wei: what a deleveraging may leave of a position."""
    stage = rooms.stage
    account = rooms.book({0: 10 * WAD}, 1_000)
    with boa.env.prank(stage.liquidator.address):
        stage.ledger.take_over(account, stage.taker, 0, 10 * WAD - 1, MARK, 0)
    rooms.set_cash(account, -7)
    (leg,), whole = rooms.resolve(account)
    assert leg.size == 1
    assert whole.deficit == 7 - (MARK // WAD - 1_000)
    assert stage.market_list(account) == 0
    assert rooms.dust(account) >= 0


@pytest.mark.parametrize("taker", TAKERS)
def test_all_holders_of_a_side_in_one_account(rooms: Rooms, taker: str) -> None:
    """f = 1: the whole opposite side closes and both epochs end; taken, it is charged alone."""
    stage = rooms.stage
    winner = stage.account("maker", cash=100_000)
    loser = stage.account("trader", cash=1_000)
    stage.trade(loser, winner, 10 * WAD, 5)
    if taker == "vault":
        rooms.ring(5, 10_000 * USD)
    stage.engine.set_mark(5, 850 * USD)
    stage.engine.set_state(5, AFTERMATH)
    stage.engine.set_reference(5, MARK, 2)
    before = stage.margin(winner, 1)[0]
    _, whole = rooms.resolve(loser)
    assert (whole.deficit, whole.charged) == (DEFICIT, DEFICIT)
    assert stage.size(winner, 5) == (-10 * WAD if taker == "vault" else 0)
    assert 0 <= before - stage.margin(winner, 1)[0] - DEFICIT <= DUST
    if taker == "opposite":
        stage.ledger.collect(winner, 5)
        assert 101_000 * USD - DUST <= stage.cash(winner) <= 101_000 * USD
        stage.engine.set_state(5, 0)
        stage.trade(winner, stage.maker, WAD, 5, 850 * USD)
        assert stage.size(winner, 5) == WAD


def test_two_resolutions_in_a_block__the_second_finds_what_the_first_left(rooms: Rooms) -> None:
    stage = rooms.stage
    accounts = [rooms.book({0: 10 * WAD}, 1_000) for _ in range(2)]
    stage.engine.set_mark(0, 850 * USD)
    stage.engine.set_state(0, AFTERMATH)
    stage.engine.set_reference(0, 940 * USD, 2)
    rooms.bucket(0, 600 * USD)
    dust = rooms.dust(*accounts)
    results = [rooms.resolve(account)[1] for account in accounts]
    assert [r.insured for r in results] == [DEFICIT, 100 * USD]
    assert [r.deficit for r in results] == [DEFICIT] * 2
    for r in results:
        assert r.deficit == r.insured + r.charged + r.socialised
    assert 0 <= rooms.dust(*accounts) - dust <= 2 * DUST


def test_position__untouched_over_several_epochs__is_paid_its_first_end(rooms: Rooms) -> None:
    """Three epochs pass over a holder who never acts; isolated and cross beside each other."""
    stage = rooms.stage
    sleeper = stage.account("trader", cash=50_000, mode=2)
    loser = stage.account("trader", cash=1_000)
    stage.trade(loser, sleeper, 10 * WAD, 6)
    stage.engine.set_mark(6, 850 * USD)
    stage.engine.set_state(6, AFTERMATH)
    stage.engine.set_reference(6, MARK, 2)
    rooms.resolve(loser)
    due = stage.margin(sleeper, 1)[0]
    for mark in (900, 1_100):
        stage.engine.set_state(6, 0)
        stage.engine.set_mark(6, mark * USD)
        holder = stage.account("maker", cash=50_000)
        victim = stage.account("trader", cash=1_000, mode=2)
        stage.trade(victim, holder, 5 * WAD, 6, mark * USD)
        stage.engine.set_mark(6, mark * USD - 250 * USD)
        stage.engine.set_state(6, AFTERMATH)
        stage.engine.set_reference(6, mark * USD, mark)
        _, whole = rooms.resolve(victim)
        assert whole.deficit == 250 * USD == whole.charged
        assert stage.margin(sleeper, 1)[0] == due
    stage.ledger.collect(sleeper, 6)
    assert stage.cash(sleeper) == due
    assert stage.market_list(sleeper) == 0


def test_cross_and_isolated_of_one_owner__losses_stay_apart(rooms: Rooms) -> None:
    """ISO-1: the isolated account's hole takes nothing from its owner's other accounts."""
    stage = rooms.stage
    rich = stage.account("trader", cash=1_000_000)
    poor = stage.account("trader", cash=1_000, mode=2)
    stage.trade(rich, stage.maker, 10 * WAD, 1)
    stage.trade(poor, stage.maker, 10 * WAD, 0)
    stage.engine.set_mark(0, 850 * USD)
    stage.engine.set_state(0, AFTERMATH)
    stage.engine.set_reference(0, MARK, 2)
    before = (stage.cash(rich), stage.margin(rich, 1))
    _, whole = rooms.resolve(poor)
    assert whole.charged == DEFICIT
    assert (stage.cash(rich), stage.margin(rich, 1)) == before


def test_many_deleveragings__k_grows_and_the_side_still_conserves(rooms: Rooms) -> None:
    """Twelve bankrupts, each an eighth of what is left, at ever other marks; then a whole one."""
    stage = rooms.stage
    stage.engine.set_reference(0, MARK, 2)
    people = []
    mark = MARK
    dust = rooms.dust()
    for round in range(12):
        stage.engine.set_state(0, 0)
        account = stage.account("trader", cash=1_000)
        people.append(account)
        stage.trade(account, stage.maker, 2 * WAD, 0, mark)
        if round % 3 == 0:
            stage.trade(stage.taker, stage.maker, 10 * WAD, 0, mark)
        mark = mark * (7 if round % 2 else 13) // 10
        stage.engine.set_mark(0, mark)
        rooms.set_cash(account, stage.cash(account) - 1 - stage.margin(account, 1)[0])
        _, whole = rooms.resolve(account)
        assert whole.deficit == 1 == whole.insured + whole.charged + whole.socialised
        assert 0 <= rooms.dust(*people) - dust <= (round + 1) * DUST


@pytest.mark.parametrize("side", [1, -1])
def test_k_at_its_largest__the_highest_price_there_is(rooms: Rooms, side: int) -> None:
    """At 1e9 USD each cut of a half moves half of A·P into K, until hardly an A is left: |K| comes
    to 2^119, the most that cuts alone make of it. Who remains is paid by it, to the wei."""
    stage = rooms.stage
    price = 10**9 * USD
    stage.engine.set_mark(0, price)
    stage.deposit(stage.maker, 10**12)
    holder = stage.account("maker", cash=10**11)
    stage.trade(holder, stage.maker, side * 8 * WAD, 0, price)
    people, dust = [holder], rooms.dust(holder)
    for round in range(1, 9):
        loser = stage.account("trader", cash=10**10)
        stage.trade(loser, stage.maker, side * 8 * WAD, 0, price)
        rooms.set_cash(loser, -1)
        people.append(loser)
        before = stage.margin(stage.maker, 1)[0]
        (leg,), whole = rooms.resolve(loser)
        assert not leg.taken
        assert whole.deficit == 1 == whole.charged + whole.socialised
        assert 0 <= before - stage.margin(stage.maker, 1)[0] - whole.charged <= DUST
        assert 0 <= rooms.dust(*people) - dust <= round * DUST
    word = stage.ledger.cut_word(int(side > 0))
    scale, credit = word >> 160, abs(word % 2**160 - (word >> 159 & 1) * 2**160)
    assert scale <= 10**27 // 2**8
    assert 2**119 < credit < 2**120
    assert abs(stage.size(stage.maker)) - 8 * WAD in range(10)
    stage.trade(stage.maker, holder, side * 8 * WAD, 0, price)
    assert abs(stage.size(stage.maker)) < 10
    assert stage.size(holder) == 0
    assert 0 <= rooms.dust(*people) - dust <= 10 * DUST


# --- self-service --------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["owner", "vault", "fund", "custody", "stranger"])
def test_caller__whoever_it_is__the_outcome_is_the_same(rooms: Rooms, who: str) -> None:
    stage = rooms.stage
    account = bankrupt(rooms, 1, MARK)
    rooms.bucket(0, 100 * USD)
    rooms.ring(0, 10_000 * USD)
    caller = {
        "owner": stage.owners["trader"],
        "vault": stage.vault.address,
        "fund": stage.fund.address,
        "custody": stage.custody.address,
        "stranger": stage.owners["stranger"],
    }[who]
    assets = (stage.vault.totalAssets(), stage.fund.totalAssets())
    with boa.env.prank(caller):
        _, whole = rooms.resolve(account)
    assert (whole.deficit, whole.insured, whole.charged) == (DEFICIT, 100 * USD, 400 * USD)
    assert stage.vault.totalAssets() == assets[0]
    assert stage.fund.totalAssets() == assets[1] - 100 * 10**6
    assert str(whole.caller) == str(caller)
