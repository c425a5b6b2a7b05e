"""Which accounts there are: pages, cursor, reorgs."""

import pytest

from oracle.bot.journal import BLOCKS_KEPT, Journal
from oracle.bot.logs import Log
from oracle.bot.watch import Watcher
from oracle.chain import ChainError
from tests.unit.bot.fake_chain import DEPLOYMENT, OTHER, TRADER, FakeChain


@pytest.fixture
def chain():
    return FakeChain()


@pytest.fixture
def journal():
    return Journal(":memory:", "x")


def watcher(chain, journal, page=10_000):
    return Watcher(chain, DEPLOYMENT, journal, Log(), page)


def pages_of(chain):
    queries = [params[0] for method, params in chain.asked if method == "eth_getLogs"]
    return [(int(q["fromBlock"], 16), int(q["toBlock"], 16)) for q in queries]


def test_accounts_are_read_in_pages_from_the_start_block(chain, journal):
    chain.mine(("configured", TRADER))
    chain.mine(count=20)
    chain.mine(("configured", OTHER), ("configured", TRADER))
    assert watcher(chain, journal, page=10).update() == 22
    assert pages_of(chain) == [(1, 10), (11, 20), (21, 22)]
    assert journal.accounts() == [TRADER, OTHER]


def test_a_restart_goes_on_at_the_cursor(chain, journal):
    chain.mine(("configured", TRADER), count=5)
    watcher(chain, journal).update()
    chain.asked.clear()
    chain.mine(("configured", OTHER))
    assert watcher(chain, journal).update() == 6
    assert pages_of(chain) == [(6, 6)]
    assert journal.accounts() == [TRADER, OTHER]


def test_no_new_block_no_question_for_logs(chain, journal):
    chain.mine(count=3)
    watcher(chain, journal).update()
    chain.asked.clear()
    assert watcher(chain, journal).update() == 3
    assert pages_of(chain) == []


def test_a_page_that_is_refused_is_made_smaller(chain, journal):
    chain.most_logs = 3
    chain.mine(count=9)
    chain.mine(("configured", TRADER))
    assert watcher(chain, journal).update() == 10
    assert journal.accounts() == [TRADER]
    assert max(last - first for first, last in pages_of(chain)[-3:]) < 3


def test_a_page_of_one_block_that_is_refused_is_an_error(chain, journal):
    chain.most_logs = 0
    chain.mine(count=4)
    with pytest.raises(ChainError, match=r"too many blocks"):
        watcher(chain, journal).update()


def test_hashes_are_asked_only_where_a_reorg_may_reach(chain, journal):
    chain.mine(count=1_000)
    watcher(chain, journal, page=100).update()
    assert len(journal.blocks()) == BLOCKS_KEPT
    asked = sum(method == "eth_getBlockByNumber" for method, _ in chain.asked)
    assert asked < BLOCKS_KEPT + 10 * 3 + 1


def test_auctions_follow_their_last_event(chain, journal):
    chain.mine(("configured", TRADER))
    assert watcher(chain, journal).update() == 1
    assert journal.auction(TRADER) == (False, 0)
    chain.mine(("started", TRADER))
    watcher(chain, journal).update()
    assert journal.auction(TRADER) == (True, 2)
    chain.mine(("ended", TRADER), ("started", TRADER), ("ended", TRADER))
    watcher(chain, journal).update()
    assert journal.auction(TRADER) == (False, 3)


# --- reorgs -------------------------------------------------------------------------------------


def test_reorg__accounts_and_auctions_of_lost_blocks__are_forgotten(chain, journal):
    chain.mine(("configured", TRADER))
    chain.mine(count=4)
    chain.mine(("configured", OTHER), ("started", TRADER))
    watcher(chain, journal).update()
    assert journal.accounts() == [TRADER, OTHER]
    chain.reorg(to=5)
    chain.mine(count=3)
    chain.asked.clear()
    assert watcher(chain, journal).update() == 9
    assert pages_of(chain) == [(6, 9)]
    assert journal.accounts() == [TRADER]
    assert journal.auction(TRADER) == (False, 0)


def test_reorg__to_a_shorter_chain__steps_back(chain, journal):
    chain.mine(("configured", TRADER), count=6)
    chain.mine(("configured", OTHER))
    watcher(chain, journal).update()
    chain.reorg(to=3)
    assert watcher(chain, journal).update() == 4
    assert journal.cursor == 4
    assert journal.accounts() == [TRADER]


def test_reorg__deeper_than_the_hashes_kept__reads_all_again(chain, journal):
    chain.mine(("configured", TRADER))
    chain.mine(count=BLOCKS_KEPT + 10)
    watcher(chain, journal).update()
    assert len(journal.blocks()) == BLOCKS_KEPT
    chain.reorg(to=0)
    chain.mine(("configured", OTHER))
    chain.asked.clear()
    assert watcher(chain, journal).update() == 2
    assert pages_of(chain) == [(1, 2)]
    assert journal.accounts() == [OTHER]


@pytest.mark.parametrize("to", [1, 3])
def test_reorg__while_a_page_is_read__the_page_does_not_count(chain, journal, to):
    """Below the page's first block, or in it."""
    chain.mine(count=2)
    watcher(chain, journal).update()
    chain.mine(count=2)
    chain.mine(("configured", OTHER))

    def reorg():
        chain.on_logs = None
        chain.reorg(to=to)
        chain.mine(count=4)

    chain.on_logs = reorg
    assert watcher(chain, journal).update() == 2
    assert journal.accounts() == []
    assert watcher(chain, journal).update() == to + 5
    assert journal.accounts() == []
