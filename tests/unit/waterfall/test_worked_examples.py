"""Published worked examples of other venues' waterfalls, on these contracts.

Loss socialisation, cases 1 to 5: Vega's verified scenarios (vegaprotocol/vega, core/integration/
features/verified/0002-STTL-settlement-verified-loss-socialization-case1 to 5). Vega shares a
deficit over the winners by size, in whole units of the asset, so its figures are within two units
of the fractions here; the trade that moves the mark there is a report here, and whoever trades at
the new mark has no part in the loss.

Insurance: the examples venues give their users, of a position closed beyond its bankruptcy price
(SAT.IS "System gain and losses", MCS "Insurance fund logic", Bitorb "What is an insurance fund").
"""

from __future__ import annotations

from fractions import Fraction

import pytest

from tests.unit.liquidator.stage import AFTERMATH, BANKRUPT
from tests.unit.vault.rooms import USD, WAD, Rooms

DUST = 10**12  # [USD wad] a deleveraging keeps 10^10 back for the gap of sizes
BEFORE, AFTER = 100, 180  # [USD] marks of all five cases

# By case: bucket; shorts (name: what he has, what of it is lost beyond); longs (name: size, Vega's
# loss). Every short loses 80 a unit.
# 1: P1 short 100 with 5,000: 8,000 lost, 3,000 missing. Longs 100 + 1: 3,000·100/101 = 2,970.297.
# 2: P1 short 100 with 2,500: 5,500 missing. 5,500·25/101 = 1,361.386, 5,500·75/101 = 4,084.158.
# 3: P1 short 30 with 2,000: 400 missing; P3 short 70 with 3,000: 2,600 missing. Longs 90 + 10 + 10:
#    3,000·90/110 = 2,454.545, 3,000·10/110 = 272.727.
# 4: as 3 with 2,900 insured: 100 left. Longs 90 + 10 + 1: 100·90/101 = 89.109, 100·10/101 = 9.901.
# 5: as 3 with 3,000 insured: nobody loses.
CASES = {
    1: (0, {"P1": (100, 5_000, 3_000)}, {"P2": (100, 2_970), "other": (1, 30)}),
    2: (0, {"P1": (100, 2_500, 5_500)}, {"P2": (25, 1_362), "P3": (75, 4_083), "other": (1, 55)}),
    3: (
        0,
        {"P1": (30, 2_000, 400), "P3": (70, 3_000, 2_600)},
        {"P2": (90, 2_455), "P4": (10, 272), "P5": (10, 273)},
    ),
    4: (
        2_900,
        {"P1": (30, 2_000, 400), "P3": (70, 3_000, 2_600)},
        {"P2": (90, 90), "P4": (10, 9), "other": (1, 1)},
    ),
    5: (
        3_000,
        {"P1": (30, 2_000, 400), "P3": (70, 3_000, 2_600)},
        {"P2": (90, 0), "P4": (10, 0), "other": (1, 0)},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_vega__loss_socialisation(rooms: Rooms, case: int) -> None:
    bucket, losers, winners = CASES[case]
    stage = rooms.stage
    stage.set_market(0, mark=BEFORE * USD)
    shorts = {name: stage.account("trader", cash) for name, (_, cash, _) in losers.items()}
    longs = {name: stage.account("stranger", 10**6) for name in winners}
    rest = stage.account("maker", 10**6)  # short what nobody else is
    for name, (size, _, _) in losers.items():
        stage.trade(stage.maker, shorts[name], size * WAD, 0, BEFORE * USD)
    for name, (size, _) in winners.items():
        stage.trade(longs[name], stage.maker, size * WAD, 0, BEFORE * USD)
    left = stage.size(stage.maker)
    assert left == -WAD * (
        sum(size for size, _ in winners.values()) - sum(size for size, _, _ in losers.values())
    )
    stage.trade(stage.maker, rest, -left, 0, BEFORE * USD)
    rooms.bucket(0, bucket * USD)

    stage.engine.set_mark(0, AFTER * USD)
    stage.engine.set_state(0, AFTERMATH)
    stage.engine.set_reference(0, BEFORE * USD, 2)
    before = {name: stage.margin(account, 1)[0] for name, account in longs.items()}
    charged = 0
    for name, (_, _, missing) in losers.items():
        assert stage.state(shorts[name]) == BANKRUPT
        _, whole = rooms.resolve(shorts[name])
        insured = min(missing, bucket)
        bucket -= insured
        assert whole.deficit == missing * USD
        assert whole.insured == insured * USD
        assert whole.charged == (missing - insured) * USD
        assert whole.socialised == 0
        charged += missing - insured
        assert stage.cash(shorts[name]) == stage.size(shorts[name]) == 0

    total = sum(size for size, _ in winners.values())
    lost = 0
    for name, (size, published) in winners.items():
        loss = before[name] - stage.margin(longs[name], 1)[0]
        share = Fraction(charged * USD * size, total)
        assert 0 <= loss - share <= DUST, "pro rata, rounded against him"
        assert abs(loss - published * USD) < 2 * USD, "as published, in whole units"
        assert loss < (AFTER - BEFORE) * USD * size, "he won by the move all the same"
        kept = Fraction(-left * size, total)
        assert 0 <= kept - stage.size(longs[name]) <= DUST, "what is closed is closed pro rata"
        lost += loss
    assert 0 <= lost - charged * USD <= DUST


# SAT.IS: long at 100, bankrupt at 99, closed at 98.75: .25, all there is, is paid; no deleveraging
# loss. MCS: bankrupt at 12,000, closed at 11,500: 500. Bitorb: Jo, long, 6,800 and 6,770: 30; Lee,
# short, 7,110 and 7,200: 90.
@pytest.mark.parametrize(
    ("side", "entry", "bankruptcy", "closed", "loss"),
    [
        (1, 100 * USD, 99 * USD, 9_875 * USD // 100, USD // 4),
        (1, 13_000 * USD, 12_000 * USD, 11_500 * USD, 500 * USD),
        (1, 7_600 * USD, 6_800 * USD, 6_770 * USD, 30 * USD),
        (-1, 6_500 * USD, 7_110 * USD, 7_200 * USD, 90 * USD),
    ],
)
@pytest.mark.parametrize("missing", [0, 1])
def test_insurance__closed_beyond_the_bankruptcy_price(
    rooms: Rooms, side: int, entry: int, bankruptcy: int, closed: int, loss: int, missing: int
) -> None:
    """The fund pays the difference; with a wei too little, the other side pays the wei."""
    stage = rooms.stage
    stage.set_market(0, mark=entry, im=5_000, mm=2_500)  # bankrupt 1 % from the entry
    account = stage.account("trader", side * (entry - bankruptcy) // USD)
    stage.trade(account, stage.maker, side * WAD, 0, entry)
    rooms.bucket(0, loss - missing)
    stage.engine.set_mark(0, closed)
    stage.engine.set_state(0, AFTERMATH)
    stage.engine.set_reference(0, entry, 2)
    _, whole = rooms.resolve(account)
    assert (whole.deficit, whole.insured) == (loss, loss - missing)
    assert (whole.charged, whole.socialised) == (missing, 0)
    assert int(stage.fund.bucket_of(0)) == 0
