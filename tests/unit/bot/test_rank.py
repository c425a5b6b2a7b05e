"""Who comes first."""

import pytest

from oracle.bot.logs import Log
from oracle.bot.rank import Health, Short, health_of, pages, ranked
from oracle.chain import ChainError, Reverted


def test_pages_hold_at_most_a_hundred():
    assert [len(page) for page in pages(range(250))] == [100, 100, 50]
    assert pages([]) == []


def test_the_largest_deficit_comes_first_then_the_later_step():
    health = {
        1: Health(90, 100, 2),
        2: Health(-50, 100, 4),
        3: Health(100, 100, 1),
        4: Health(60, 100, 3),
        5: Health(60, 100, 2),
        6: Health(10, 0, 0),
    }
    order = ranked(health)
    assert [short.account for short in order] == [2, 4, 5, 1]
    assert order[0] == Short(2, health[2])
    assert order[0].health.deficit == 150
    assert [short.account for short in ranked(health, own={2})] == [4, 5, 1]


def test_equal_accounts_keep_an_order():
    health = {9: Health(0, 1, 2), 3: Health(0, 1, 2)}
    assert [short.account for short in ranked(health)] == [3, 9]


def test_a_page_with_an_account_that_cannot_be_read_loses_only_that_one(caplog):
    asked = []

    def ask(page):
        asked.append(len(page))
        if 13 in page:
            raise Reverted("panic 0x11")
        return [(account, 0, 0) for account in page]

    with caplog.at_level("INFO", "plimsoll.bot"):
        found = health_of(list(range(20)), ask, Log())
    assert set(found) == set(range(20)) - {13}
    assert found[7] == Health(7, 0, 0)
    assert "panic 0x11" in caplog.text
    assert asked[0] == 20


def test_a_node_that_cannot_be_reached_is_an_error():
    def ask(page):
        raise ChainError("No node answers at x.")

    with pytest.raises(ChainError):
        health_of([1, 2], ask, Log())
