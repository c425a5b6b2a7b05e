# BUG: a reward that made an account's cash negative kept no interest index for it, where collateral
# of unknown price stayed behind: its interest then counted from the beginning of time. Found by the
# long profile.
from __future__ import annotations

from tests.support.compiled import load
from tests.support.world import USD, WAD, World, address_of


def test_reward__that_makes_cash_negative__bears_interest_from_now(world: World) -> None:
    world.make_debtor("debtor", 100 * USD)  # interest runs, J is above 0
    with world.as_owner():
        world.ledger.set_interest_rate(10**18)
    world.system.wait(86_400)
    account = world.open("holder")
    token = world.custody.token_at(0)
    coin = load("contracts/mocks/TokenMock.vy").at(token)
    world.deposit_collateral(account, 0, coin, WAD)
    with world.as_liquidator():
        world.ledger.reward(account, address_of("caller"), USD)
    assert world.ledger.interest_index_of(account) > 0
    assert world.ledger.book(account).cash == -USD
