# BUG (minor, owner only): ending number n again ends whatever number the contract that once had n
# has now, because an ended gateway stays in `gateways[n]` and `gateway_ids` is cleared by that
# address.
from __future__ import annotations

from tests.support.world import WAD, ZERO, World


def test_set_gateway_at__ending_an_ended_number_again__leaves_other_numbers_alone(
    world: World,
) -> None:
    with world.as_owner():
        world.ledger.set_gateway_at(0, ZERO)
        world.ledger.set_gateway_at(1, world.gateway.address)
        world.ledger.set_gateway_at(0, ZERO)
    long = world.open("long", 1_000, gateways=2)
    short = world.open("short", 1_000, gateways=2)
    world.trade(long, short, WAD // 100)
    assert world.size(long) == WAD // 100
