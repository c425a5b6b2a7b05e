"""Fault 18: a thief with the keys for a day, and a guardian in the same block."""

from __future__ import annotations

from pathlib import Path

import pytest

from oracle import signing
from oracle.chain import Fees, Function, Reverted, Sender
from oracle.daemon.keys import dev_key
from oracle.daemon.messages import PushTerms, Signed, push_data
from oracle.daemon.view import read_view
from oracle.risk import Ask
from scripts.support.config import load_config
from tests.support.keeper_chain import GUARDIAN, GWEI, MAINTENANCE, MARGIN, account
from tests.support.keeper_stage import BTC, CHAIN, ETH, HOUR, START, WAD, Said

ROOT = Path(__file__).parents[3]
FREEZE = Function("freeze_signer(address)")


def legal_push(scene, keys, severity, depth, at):
    """Signed by a quorum of stolen keys, to be mined at that time; calldata."""
    parts = scene.parts
    view = read_view(scene.client, parts.deployment, parts.assets)
    lines = tuple(
        signing.Line(asset, severity(line.severity), depth(line.depth), line.pushed)
        for asset, line in view.lines.items()
    )
    asks = {line.asset: Ask(0, 1, 0, 0, bytes(32)) for line in lines}
    terms = PushTerms(at + 600, lines, asks)
    signed = [Signed(k.address, k.sign_message(terms.message, parts.domain)) for k in keys]
    return push_data(terms, signed)


@pytest.mark.parametrize("direction", ["tighten", "loosen"])
def test_fault_18_hostile_keeper__24_hours(scene, tmp_path, direction):
    """Every push the chain allows, as far as it allows it, for a day. Margins stay between calm and
    storm, MM moves no faster than its clock, and in no block of a push does it move at all."""
    config = load_config(ROOT / "scripts/config/local.toml")
    said = Said(severity={"BTC": 500_000, "ETH": 500_000})
    stand = scene.keeper(tmp_path, said=said)
    scene.parts = stand.parts
    scene.at(START)
    stand.rounds()
    if direction == "loosen":
        for hour in range(1, 10):
            stand.at(START + hour * HOUR)
    engine = scene.deployment.addresses["engine"]
    keys = [dev_key(index, CHAIN) for index in (3, 4)]
    thief = Sender(scene.client, account(8), Fees(2 * GWEI, GWEI))
    rules = config.push_rules
    rise, fall = rules.step_up, rules.step_down
    begin = scene.client.block_time() // HOUR * HOUR + HOUR
    first, sizes = scene.line(BTC), {BTC: 20 * WAD, ETH: 60 * WAD}
    bounds = {m.asset: m.brackets for m in config.markets}
    last_mm = {asset: scene.line(asset)[3] for asset in sizes}
    for hour in range(24):
        at = begin + hour * HOUR
        if direction == "tighten":
            data = legal_push(
                scene,
                keys,
                lambda s: min(10**6, s + rise),
                lambda d: max(rules.depth_min, d - rules.depth_fall),
                at,
            )
        else:
            data = legal_push(
                scene,
                keys,
                lambda s: max(0, s - fall),
                lambda d: min(10**6, d + rules.depth_rise),
                at,
            )
        pushed = scene.line(BTC)[0]
        before = margins_at(scene, engine, sizes, at)
        scene.client.request("evm_setNextBlockTimestamp", at)
        scene.client.wait(thief.send(engine, data, 2_000_000))
        assert scene.client.block_time() == at
        to = min(10**6, pushed + rise) if direction == "tighten" else max(0, pushed - fall)
        assert scene.line(BTC)[0] == to
        for asset, size in sizes.items():
            margin = scene.client.call(engine, MARGIN, asset, size, MAINTENANCE)
            if direction == "tighten":
                assert margin == before[asset]  # nobody becomes liquidatable by a push
            assert margin <= before[asset]
            notional = size * scene.price(asset)[0] // WAD
            storm = max(b.mm_storm for b in bounds[asset])
            assert (
                bounds[asset][0].mm_calm * notional // 10**6
                <= margin
                <= storm * notional // 10**6 + 1
            )
            now_mm = scene.line(asset)[3]
            assert -fall <= now_mm - last_mm[asset] <= config.clocks.severity_up + 1
            last_mm[asset] = now_mm
    day = scene.line(BTC)
    assert abs(day[0] - first[0]) <= 24 * (rise if direction == "tighten" else fall)
    if direction == "loosen":
        assert day[3] >= first[3] - 24 * fall
    again, line = legal_push(scene, keys, lambda s: s, lambda d: d, at), scene.line(BTC)[:3]
    scene.client.request("evm_setNextBlockTimestamp", at + rules.min_delay - 1)
    with pytest.raises(Reverted):  # too soon
        scene.client.wait(thief.send(engine, again, 2_000_000))
    assert scene.line(BTC)[:3] == line


def margins_at(scene, engine, sizes, time):
    """MM at that time if nobody pushes."""
    snapshot = scene.client.request("evm_snapshot")
    scene.at(time)
    found = {
        a: scene.client.call(engine, MARGIN, a, size, MAINTENANCE) for a, size in sizes.items()
    }
    scene.client.request("evm_revert", snapshot)
    return found


@pytest.mark.parametrize("is_thief_first", [False, True])
def test_fault_18_guardian_freezes_within_less_than_two_blocks(scene, tmp_path, is_thief_first):
    """One transaction a key, in the block after the alarm. A push of the thief's in the same block
    comes to nothing behind them; before them it is his last one step."""
    stand = scene.keeper(tmp_path)
    stand.at(START)
    scene.parts = stand.parts
    engine = scene.deployment.addresses["engine"]
    keys = [dev_key(index, CHAIN) for index in (3, 4)]
    scene.at(START + HOUR)
    begun, pushed = scene.client.head().number, scene.line(BTC)[0]
    data = legal_push(scene, keys, lambda s: s + 50_000, lambda d: d, START + HOUR)
    guardian = Sender(scene.client, account(GUARDIAN), Fees(2 * GWEI, GWEI))
    thief = Sender(scene.client, account(8), Fees(2 * GWEI, GWEI))
    scene.hold()
    calls = [(guardian, FREEZE.encode(key.address)) for key in keys]
    calls.insert(0 if is_thief_first else 2, (thief, data))
    sent = [sender.send(engine, call, 2_000_000) for sender, call in calls]  # mined in that order
    scene.client.request("evm_mine")
    scene.client.request("evm_setAutomine", True)
    receipts = [scene.client.receipt(tx) for tx in sent]
    assert {int(r["blockNumber"], 16) for r in receipts} == {begun + 1}
    assert [int(r["status"], 16) for r in receipts] == [1, 1, is_thief_first]
    assert scene.line(BTC)[0] == pushed + 50_000 * is_thief_first
    later = START + 2 * HOUR
    scene.at(later)
    data = legal_push(scene, keys, lambda s: s + 50_000, lambda d: d, later)
    with pytest.raises(Reverted, match="bad signer"):
        scene.client.request("eth_call", {"to": engine, "data": "0x" + data.hex()}, "latest")
