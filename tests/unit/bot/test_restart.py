"""The journal: nothing twice, nothing forgotten, through restarts, reorgs and lost transactions."""

import pytest

from oracle.bot.errors import BotError
from oracle.bot.journal import Journal, Key
from oracle.chain import ChainError
from tests.unit.bot.fake_chain import (
    IDENTITY,
    KEY,
    LONG,
    OTHER,
    TRADER,
    WAD,
    Transaction,
    bot_of,
    sinking,
)

TAKE = Key(TRADER, "take", LONG, 0)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "journal.sqlite"


@pytest.fixture(autouse=True)
def _all_logs(caplog):
    caplog.set_level("INFO", "plimsoll.bot")


def one_round(chain, path, later=0.0):
    """As a process of its own."""
    bot = bot_of(chain, path)
    if later:
        now = bot.live._now()
        bot.live._now = lambda: now + later
    try:
        bot.round()
        return {state: bot.journal.count(state) for state in ("open", "done", "failed", "dropped")}
    finally:
        bot.journal.close()


def test_restart__what_is_on_its_way__is_not_sent_again(path):
    chain = sinking()
    assert one_round(chain, path)["open"] == 1
    assert one_round(chain, path)["open"] == 1
    assert [name for name, _ in chain.sent] == ["take"]
    chain.mine()
    chain.health[TRADER] = (WAD, 0, 0)
    assert one_round(chain, path) == {"open": 0, "done": 1, "failed": 0, "dropped": 0}
    assert len(chain.sent) == 1


def test_restart__between_writing_down_and_sending__is_sent_after_a_while(path, monkeypatch):
    chain = sinking(state=3)

    def crash(raw):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(chain, "eth_sendRawTransaction", crash)
        with pytest.raises(KeyboardInterrupt):
            one_round(chain, path)
    assert not chain.pool
    assert one_round(chain, path)["open"] == 1
    assert not chain.pool
    assert one_round(chain, path, later=61) == {"open": 1, "done": 0, "failed": 0, "dropped": 0}
    assert len(chain.pool) == 1
    assert len(chain.sent) == 2


def test_lost_for_good__with_another_nonce__is_kept_as_dropped(path, monkeypatch):
    chain = sinking(state=3)
    one_round(chain, path)
    chain.pool.clear()
    chain.mined["another of this sender"] = (1, 1)
    assert one_round(chain, path, later=61) == {"open": 1, "done": 0, "failed": 0, "dropped": 1}


def test_a_node_that_loses_the_answer__does_not_make_it_twice(path, monkeypatch):
    chain = sinking(state=3)

    def lose(raw):
        type(chain).eth_sendRawTransaction(chain, raw)
        raise ChainError("The node did not answer in time.")

    with monkeypatch.context() as patch:
        patch.setattr(chain, "eth_sendRawTransaction", lose)
        with pytest.raises(ChainError):
            one_round(chain, path)
    assert one_round(chain, path, later=1_000)["open"] == 1
    assert len(chain.pool) == 1


def test_what_failed__is_logged_with_its_reason_and_tried_again(path, caplog):
    chain = sinking(state=3)
    one_round(chain, path)
    chain.mine()
    transaction, (number, _) = next(iter(chain.mined.items()))
    chain.mined[transaction] = (number, 0)
    chain.refuse["resolve"] = "auction running"
    assert one_round(chain, path)["failed"] == 1
    assert "event=failed step=resolve" in caplog.text
    assert 'reason="auction running"' in caplog.text
    chain.refuse.clear()
    one_round(chain, path)
    assert len(chain.sent) == 2


def only(chain):
    """What is in the pool."""
    (raw,) = chain.pool.values()
    return Transaction(raw)


def test_base_fee_times_a_hundred__what_waits_is_sent_again_with_its_nonce(path):
    """GAS-3: the bot does not wait for fees to come down, and all behind it with it."""
    chain = sinking(state=3)
    one_round(chain, path)
    before = only(chain)
    chain.gas_price *= 100
    assert one_round(chain, path, later=29)["open"] == 1
    assert only(chain).most == before.most
    assert one_round(chain, path, later=31)["open"] == 2
    after = only(chain)
    assert (after.most, after.nonce) == (100 * before.most, before.nonce)
    assert (after.to, after.data, after.gas) == (before.to, before.data, before.gas)
    chain.mine()
    chain.health[TRADER] = (WAD, 0, 0)
    assert one_round(chain, path) == {"open": 0, "done": 1, "failed": 0, "dropped": 1}


def test_base_fee_a_little_higher__rises_by_an_eighth_as_nodes_demand(path):
    chain = sinking(state=3)
    one_round(chain, path)
    before = only(chain)
    chain.gas_price = chain.gas_price * 101 // 100
    one_round(chain, path, later=31)
    assert only(chain).most == -(-before.most * 9 // 8)


def test_base_fee_as_before__what_waits_is_left(path, caplog):
    chain = sinking(state=3)
    one_round(chain, path)
    assert one_round(chain, path, later=1_000)["open"] == 1
    assert len(chain.sent) == 1
    assert "event=waiting" in caplog.text


def test_base_fee__a_take_is_cancelled_and_counted_anew(path):
    """Its gas would eat the gain."""
    chain = sinking()
    one_round(chain, path)
    before = only(chain)
    chain.gas_price *= 100
    assert one_round(chain, path, later=31)["open"] == 2
    after = only(chain)
    assert (after.to, after.data, after.nonce) == (KEY.address.lower(), b"", before.nonce)
    chain.mine()
    chain.gas_price //= 100
    assert one_round(chain, path, later=61) == {"open": 1, "done": 1, "failed": 0, "dropped": 1}
    assert [name for name, _ in chain.sent] == ["take", "take"]


def test_base_fee__a_replacement_that_the_node_refuses__does_not_stop_the_round(path, monkeypatch):
    chain = sinking(state=3)
    chain.mine(("configured", OTHER))
    one_round(chain, path)
    chain.gas_price *= 100
    chain.health[OTHER] = (0, WAD, 3)
    send = chain.eth_sendRawTransaction

    def poor(raw):
        if Transaction(raw).nonce == 0:
            raise ChainError("The node refused: insufficient funds.")
        return send(raw)

    monkeypatch.setattr(chain, "eth_sendRawTransaction", poor)
    one_round(chain, path, later=31)
    assert [args for _, args in chain.sent][-1] == (OTHER,)


def test_base_fee__the_old_one_is_mined_all_the_same(path):
    chain = sinking(state=3)
    one_round(chain, path)
    ((first, raw),) = chain.pool.items()
    chain.gas_price *= 100
    one_round(chain, path, later=31)
    chain.pool = {first: raw}
    chain.mine()
    chain.health[TRADER] = (WAD, 0, 0)
    assert one_round(chain, path) == {"open": 0, "done": 1, "failed": 0, "dropped": 1}


def test_reorg__what_was_mined_and_is_in_the_pool_again__is_waited_for(path):
    chain = sinking(state=3)
    one_round(chain, path)
    chain.mine()
    (transaction,) = chain.mined
    chain.health[TRADER] = (WAD, 0, 0)
    assert one_round(chain, path)["done"] == 1
    chain.reorg(to=1)
    chain.health[TRADER] = (0, WAD, 3)
    chain.pool[transaction] = "0x"
    assert one_round(chain, path) == {"open": 1, "done": 0, "failed": 0, "dropped": 0}
    assert len(chain.sent) == 1


def test_reorg__what_was_mined_and_is_lost__is_sent_again(path):
    chain = sinking(state=3)
    one_round(chain, path)
    chain.mine()
    chain.health[TRADER] = (WAD, 0, 0)
    one_round(chain, path)
    chain.reorg(to=1)
    chain.health[TRADER] = (0, WAD, 3)
    assert one_round(chain, path, later=61) == {"open": 1, "done": 0, "failed": 0, "dropped": 0}
    assert len(chain.sent) == 2


def test_takes_go_on_in_the_same_auction(path):
    """The clock survives a partial take; each is seen mined before the next."""
    chain = sinking()
    for _ in range(3):
        one_round(chain, path)
        one_round(chain, path)  # on its way
        chain.mine()
    assert [name for name, _ in chain.sent] == ["take"] * 3


def test_done_in_a_block_that_the_head_does_not_show__is_not_repeated():
    journal = Journal(":memory:", "x")
    journal.open(TAKE, "0x1", 0)
    (sent,) = journal.pending()
    journal.settle(sent, "done", 12)
    assert journal.is_waiting(TRADER, head=11)
    assert journal.is_busy(head=11)
    assert not journal.is_waiting(TRADER, head=12)
    assert not journal.is_busy(head=12)


def test_a_key_is_open_once():
    journal = Journal(":memory:", "x")
    journal.open(TAKE, "0x1", 0)
    with pytest.raises(BotError, match=r"^The journal already has a take of that account"):
        journal.open(TAKE, "0x2", 0)
    journal.open(Key(TRADER, "take", LONG, 9), "0x3", 0)  # another auction
    assert [sent.hash for sent in journal.pending()] == ["0x1", "0x3"]


def test_a_journal_is_one_bots(path):
    journal = Journal(path, IDENTITY)
    with pytest.raises(BotError, match=r"^Another bot is using the journal"):
        Journal(path, IDENTITY)
    journal.close()
    with pytest.raises(BotError, match=r"belongs to another deployment or sender\.$"):
        Journal(path, "another")
    Journal(path, IDENTITY).close()


def test_a_file_that_is_no_journal(path):
    path.parent.mkdir()
    path.write_text("this is no database, and long enough to be seen as none" * 20)
    with pytest.raises(BotError, match=r"cannot be used: file is not a database\.$"):
        Journal(path, IDENTITY)
