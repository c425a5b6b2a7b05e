"""What is done about an account, and what is not."""

import pytest

from oracle.bot.act import Gas, Offer, sizes
from oracle.chain import ChainError
from tests.unit.bot.fake_chain import (
    CUSTODY,
    KEY,
    LONG,
    OTHER,
    OWN,
    TOKEN,
    TRADER,
    VAULT,
    WAD,
    FakeChain,
    Transaction,
    bot_of,
    sinking,
)


@pytest.fixture(autouse=True)
def _all_logs(caplog):
    caplog.set_level("INFO", "plimsoll.bot")


def acted(chain, **options):
    bot_of(chain, **options).round()
    return chain.sent


# --- take ---------------------------------------------------------------------------------------


def test_take__pays_more_than_gas__is_sent_with_its_break_even_as_limit():
    chain = sinking()
    ((name, args),) = acted(chain)
    assert name == "take"
    assert args[:4] == (TRADER, LONG, WAD // 2, OWN)
    # 500,000 gas at 2 gwei and 2,000 USD: 2 USD on half a BTC.
    assert args[4] == 20_000 * WAD - 4 * WAD


def test_take__of_a_short__is_limited_from_below():
    chain = sinking()
    chain.legs[TRADER] = {LONG: -WAD}
    chain.terms[TRADER, LONG] = (WAD // 20, WAD // 2, 20_100 * WAD, 1_000, 60)
    ((name, args),) = acted(chain)
    assert (name, args[4]) == ("take", 20_004 * WAD)


def too_large(size):
    return lambda *args: "below margin" if args[2] > size else None


def test_take__more_than_the_own_account_carries__is_what_it_might_trade():
    chain = sinking()
    chain.room = WAD // 3
    chain.refuse["take"] = too_large(chain.room)
    assert acted(chain)[0][1][2] == WAD // 3


@pytest.mark.parametrize("room", [0, 10**40])
def test_take__while_trades_are_reduce_only__is_not_held_back(room):
    chain = sinking()
    chain.room = room
    assert acted(chain)[0][1][2] == WAD // 2


def test_take__refused_at_a_size__is_halved(caplog):
    chain = sinking()
    chain.refuse["take"] = too_large(WAD // 8)
    assert acted(chain)[0][1][2] == WAD // 8
    assert 'step=take item=0 reason="below margin"' in caplog.text


def test_take__no_room_for_the_least__starts_the_auction_only(caplog):
    chain = sinking()
    chain.refuse["take"] = too_large(WAD // 20 - 1)
    assert acted(chain) == [("poke", (TRADER,))]
    assert 'step=take item=0 reason="below margin"' in caplog.text


@pytest.mark.parametrize("price", [20_000, 20_001])
def test_take__no_discount__is_left(caplog, price):
    chain = sinking()
    chain.mine(("started", TRADER))
    chain.terms[TRADER, LONG] = (WAD // 20, WAD // 2, price * WAD, 1_000, 0)
    assert acted(chain) == []
    assert 'reason="no profit"' in caplog.text


def test_take__gas_eats_the_discount__is_left(caplog):
    chain = sinking()
    chain.mine(("started", TRADER))
    chain.gas_price = 25 * 10**9  # 50 USD for a discount of 50
    assert acted(chain) == []
    assert 'reason="no profit after gas of 50.00 USD"' in caplog.text
    chain.gas_price -= 10**6
    assert acted(chain)[0][0] == "take"


def test_take__min_profit_is_kept_in_the_limit():
    chain = sinking()
    ((_, args),) = acted(chain, min_profit=10 * WAD)
    assert args[4] == 20_000 * WAD - 24 * WAD
    assert acted(sinking(), min_profit=48 * WAD) == [("poke", (TRADER,))]


def test_take__one_a_block__the_own_account_changes_with_each(caplog):
    chain = sinking()
    chain.mine(("configured", OTHER), ("started", OTHER))
    chain.health[OTHER] = (0, WAD, 2)
    chain.legs[OTHER] = {LONG: WAD}
    chain.terms[OTHER, LONG] = chain.terms[TRADER, LONG]
    bot = bot_of(chain)
    assert bot.round() == 1
    assert chain.sent[0][1][0] == TRADER
    assert 'reason="own account is busy"' in caplog.text
    chain.mine()
    chain.terms[TRADER, LONG] = "not liquidatable"
    chain.health[TRADER] = (WAD, 0, 0)
    bot.round()
    bot.round()
    assert [args[0] for _, args in chain.sent] == [TRADER, OTHER]


def test_take__the_position_that_pays_most_comes_first():
    chain = sinking()
    chain.legs[TRADER][1] = -30 * WAD
    chain.terms[TRADER, 1] = (WAD, 10 * WAD, 2_050 * WAD, 0, 60)
    assert acted(chain)[0][1][:3] == (TRADER, 1, 10 * WAD)


# --- collateral ---------------------------------------------------------------------------------


def test_collateral__at_a_discount__is_bought():
    chain = sinking()
    chain.terms.clear()
    chain.holdings[TRADER] = {TOKEN: 3 * WAD}
    chain.collateral[TRADER, TOKEN] = (2 * WAD, 1_900 * WAD, 50_000, 3_800 * WAD, 60)
    ((name, args),) = acted(chain)
    assert name == "take_collateral"
    assert args == (TRADER, TOKEN, 2 * WAD, OWN, 1_999 * WAD)


def test_collateral__without_a_discount_yet__the_auction_is_started(caplog):
    chain = sinking()
    chain.terms.clear()
    chain.holdings[TRADER] = {TOKEN: 3 * WAD}
    chain.collateral[TRADER, TOKEN] = (2 * WAD, 2_000 * WAD, 0, 4_000 * WAD, 0)
    assert acted(chain) == [("poke", (TRADER,))]


def test_collateral__for_nothing__is_taken():
    chain = sinking(state=4)
    chain.refuse["resolve"] = "collateral first"
    chain.holdings[TRADER] = {TOKEN: 3 * WAD}
    chain.collateral[TRADER, TOKEN] = (3 * WAD, 0, 10**6, 5_000 * WAD, 7_200)
    assert acted(chain)[0][0] == "take_collateral"


def in_the_way(size):
    """A bankrupt account with collateral that has no discount yet."""
    chain = sinking(state=4)
    chain.refuse["resolve"] = "collateral first"
    chain.holdings[TRADER] = {TOKEN: size}
    chain.collateral[TRADER, TOKEN] = (size, 2_000 * WAD, 0, 5_000 * WAD, 0)
    return chain


@pytest.mark.parametrize("size", [1, WAD // 20])
def test_collateral__dust_in_the_way_of_a_resolution__is_bought_at_its_price(size):
    assert acted(in_the_way(size)) == [
        ("take_collateral", (TRADER, TOKEN, size, OWN, 2_000 * WAD)),
    ]


def test_collateral__more_than_dust__waits_for_its_discount():
    assert [name for name, _ in acted(in_the_way(WAD // 20 + 1))] == ["poke"]


def test_collateral__dust_of_an_account_above_the_backstop__waits_for_its_discount():
    chain = in_the_way(1)
    chain.terms.clear()
    chain.health[TRADER] = (900 * WAD, 1_000 * WAD, 2)
    assert [name for name, _ in acted(chain)] == ["poke"]


def test_collateral__dust_that_the_own_account_cannot_buy__is_given_to_the_vault_in_the_end():
    chain = in_the_way(1)
    chain.refuse["take_collateral"] = "not owner"
    del chain.refuse["take_last"]
    assert acted(chain) == [("take_last", (TRADER, TOKEN))]


def unwanted():
    """Collateral has to go first, and the bot has no capital."""
    chain = sinking(state=4)
    chain.refuse |= {"resolve": "collateral first", "take_collateral": "not owner"}
    chain.holdings[TRADER] = {TOKEN: 3 * WAD}
    chain.collateral[TRADER, TOKEN] = (3 * WAD, 0, 10**6, 5_000 * WAD, 7_200)
    return chain


def test_collateral__that_nobody_buys_for_nothing__is_given_to_the_vault():
    chain = unwanted()
    del chain.refuse["take_last"]
    assert acted(chain) == [("take_last", (TRADER, TOKEN))]
    assert Transaction(next(iter(chain.pool.values()))).to == VAULT


def test_collateral__that_still_has_a_price__is_not_given_away():
    chain = unwanted()
    assert [name for name, _ in acted(chain)] == ["poke"]


def test_collateral__of_an_account_above_the_backstop__is_not_given_away():
    chain = unwanted()
    del chain.refuse["take_last"]
    chain.health[TRADER] = (900 * WAD, 1_000 * WAD, 2)
    assert "take_last" not in [name for name, _ in acted(chain)]


# --- rewards ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("above", "is_released"), [(0, False), (1, True)])
def test_rewards__worth_five_times_their_gas__are_released(above, is_released):
    chain = sinking(state=0)
    cost = 90_000 * 2 * 10**9 * 2_000  # [USD wad]
    chain.waiting = 5 * cost + above
    sent = acted(chain)
    assert sent == ([("release", (255, KEY.address.lower()))] if is_released else [])
    if is_released:
        assert Transaction(next(iter(chain.pool.values()))).to == CUSTODY


def test_rewards__are_looked_at_now_and_then():
    chain = sinking(state=0)
    bot = bot_of(chain)
    bot.round()
    chain.waiting = 10**24
    for _ in range(49):
        bot.round()
        chain.mine()
    assert chain.sent == []
    bot.round()
    assert [name for name, _ in chain.sent] == ["release"]


def test_resolve__reward_counts_in_the_profit(capsys):
    chain = sinking(state=3)
    chain.reward = 7 * WAD
    bot_of(chain, signer=None).round()
    assert "profit_usd=5.00" in capsys.readouterr().out


# --- poke, resolve ------------------------------------------------------------------------------


def test_poke__a_clock_that_runs__is_left():
    chain = sinking()
    chain.mine(("started", TRADER))
    chain.terms.clear()
    assert acted(chain) == []


def test_resolve__whatever_the_gas():
    chain = sinking(state=3)
    chain.gas_price = 10**13
    assert acted(chain) == [("resolve", (TRADER,))]
    assert Transaction(next(iter(chain.pool.values()))).gas == 625_000


def test_resolve__several_in_one_round_with_nonces_in_order():
    chain = sinking(state=3)
    chain.mine(("configured", OTHER))
    chain.health[OTHER] = (-5_000 * WAD, WAD, 4)
    assert acted(chain) == [("resolve", (OTHER,)), ("resolve", (TRADER,))]
    assert [Transaction(raw).nonce for raw in chain.pool.values()] == [0, 1]


def test_refused__the_reason_is_logged_once_until_it_changes(caplog):
    chain = sinking(state=3)
    chain.mine(("started", TRADER))
    chain.refuse["resolve"] = "price unknown"
    bot = bot_of(chain)
    for reason in ("price unknown", "price unknown", "paused"):
        chain.refuse["resolve"] = reason
        bot.round()
    assert chain.sent == []
    refusals = [line for line in caplog.messages if "step=resolve" in line]
    owner = f"0x{5:040x}"
    assert refusals == [
        f'event=refused account={owner} step=resolve reason="price unknown"',
        f"event=refused account={owner} step=resolve reason=paused",
    ]


def test_refused__by_the_node_for_one_account__the_others_are_served(caplog, monkeypatch):
    chain = sinking(state=3)
    chain.mine(("configured", OTHER))
    chain.health[OTHER] = (-5_000 * WAD, WAD, 4)

    def refuse(*args):
        if args[0] == OTHER:
            raise ChainError("The node refused: out of gas.")

    chain.refuse["resolve"] = refuse
    assert acted(chain) == [("resolve", (TRADER,))]
    assert 'step=any reason="The node refused: out of gas."' in caplog.text


def test_refused__a_transaction__leaves_no_gap_in_the_nonces(monkeypatch):
    chain = sinking(state=3)
    chain.mine(("configured", OTHER))
    chain.health[OTHER] = (-5_000 * WAD, WAD, 4)
    send = chain.eth_sendRawTransaction

    def refuse_once(raw):
        monkeypatch.setattr(chain, "eth_sendRawTransaction", send)
        raise ChainError("The node refused: too many transactions.")

    monkeypatch.setattr(chain, "eth_sendRawTransaction", refuse_once)
    bot = bot_of(chain)
    assert bot.round() == 1
    assert [Transaction(raw).nonce for raw in chain.pool.values()] == [0]
    assert len(bot.journal.pending()) == 2


def test_node_away__ends_the_round(monkeypatch):
    chain = sinking(state=3)
    away = ChainError("No node answers at http://fake.")
    monkeypatch.setattr(chain, "eth_estimateGas", lambda *_: (_ for _ in ()).throw(away))
    with pytest.raises(ChainError, match=r"^No node answers"):
        bot_of(chain).round()


def test_nobody_short__nothing_but_questions():
    chain = sinking(state=1)
    assert acted(chain) == []
    assert acted(FakeChain()) == []


def test_own_account__is_never_acted_upon(caplog):
    chain = sinking(state=0)
    chain.health[OWN] = (0, WAD, 3)
    assert acted(chain) == []
    assert "own account is short" in caplog.text


# --- dry run ------------------------------------------------------------------------------------


def test_dry_run__prints_and_sends_nothing(capsys):
    chain = sinking()
    bot = bot_of(chain, signer=None)
    assert bot.round() == 1
    assert chain.sent == []
    assert not any("Transaction" in method for method, _ in chain.asked)
    assert bot.journal.pending() == []
    owner = f"0x{5:040x}"
    out = capsys.readouterr().out
    assert out == f"would take account={owner} item=0 size={WAD // 2} profit_usd=48.00\n"


# --- arithmetic ---------------------------------------------------------------------------------


def sizes_of(most, least, room=0):
    return sizes(Offer("take", 0, most, least, 1, 1, True, room))


def test_sizes():
    assert sizes_of(100, 30) == [100, 50, 30]
    assert sizes_of(100, 25) == [100, 50, 25]
    assert sizes_of(100, 25, room=70) == [100, 70, 50, 25]
    assert sizes_of(100, 25, room=7) == sizes_of(100, 25, room=700) == [100, 50, 25]
    assert sizes_of(100, 101) == []
    assert sizes_of(3, 0) == [3, 1]
    assert sizes_of(1 << 20, 0)[-1] == 1 << 15
    assert sizes_of(0, 0) == []


def test_rounding_is_against_the_bot():
    assert Gas(1, 1).usd_up(1) == 1
    long = Offer("take", 0, 3, 1, 10, 11, True)
    assert long.gain_down(WAD - 1) == 0
    assert long.limit(3 * WAD, 1) == 10
    assert Offer("take", 0, 3, 1, 12, 11, False).limit(3 * WAD, 1) == 12
    assert Offer("take", 0, 3, 1, 12, 11, True).gain_down(WAD) == -1
    assert KEY.address
