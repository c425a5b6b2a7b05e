"""A table that is voted in while a keeper runs: severity is solved for what is in force, by every
signer for itself, while the table blends in and after. Sources that cannot are not followed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oracle.chain import Call, Function
from oracle.daemon.panel import Panel
from oracle.daemon.remote import RemoteSigner, SignerServer
from oracle.daemon.sources import recorded
from oracle.daemon.view import BRACKETS
from tests.support.keeper_stage import BTC, ETH, START, WAD, Following, Said

ROWS = "(uint256,uint256,uint256,uint256,uint256)[]"
SET_SCHEDULE = Function(f"set_schedule(uint256,{ROWS})")
LEG = "(uint256,int256,int256,uint256)[]"
ASSESS = Function(
    f"assess(uint256,int256,uint256,{LEG},(uint256,uint256)[])",
    ("(int256,uint256,uint256,uint256)",),
)
MAINTENANCE = 2
RAMP = 86_400
PPM = 10**6
OWNER = Function("owner()", ("address",))


def vote_in(scene, asset, change=lambda rows: rows[0].__setitem__(4, rows[0][4] + 1)):
    """A table by whoever may; by default its storm rate is one ppm above the one in force."""
    settings, client = scene.deployment.addresses["settings"], scene.client
    rows = [list(row) for row in client.call(settings, BRACKETS, asset)]
    change(rows)
    owner = client.call(scene.deployment.addresses["engine"], OWNER)
    client.request("anvil_impersonateAccount", owner)
    client.request("anvil_setBalance", owner, hex(10**18))
    call = Call(settings, SET_SCHEDULE, (asset, rows), owner)
    client.request("eth_sendTransaction", {**call.params, "gas": hex(3_000_000)})
    scene.mined()
    assert [list(row) for row in client.call(settings, BRACKETS, asset)] == rows


def test_no_line_is_pushed_under_a_table_the_numbers_are_not_made_for(scene, tmp_path):
    said = Said(severity={"BTC": 200_000, "ETH": 200_000})
    stand = scene.keeper(tmp_path, said=said)
    stand.at(START)
    before = scene.line(BTC), scene.line(ETH)
    vote_in(scene, BTC)
    stand.at(START + 3_600)
    assert scene.line(BTC)[:3] == before[0][:3]
    assert scene.line(ETH)[2] > before[1][2]
    alarms = [event for event in stand.events() if event.get("alarm") == "SELF_CHECK"]
    assert [event["asset"] for event in alarms] == [BTC]
    assert "start keeper and signers again" in alarms[0]["reason"]
    assert stand.steps("report").count("confirmed") == 2  # prices go on
    again = scene.keeper(tmp_path / "again", said=said)
    again.at(START + 3_660)
    assert scene.line(BTC)[2] > before[0][2]


# --- a ramp, against the contract -----------------------------------------------------------------


def dearer(rows):
    """Every rate of bracket 0 a tenth up, of the others to 100 %: they must not fall."""
    rows[0][1:] = [rate + rate // 10 + 1 for rate in rows[0][1:]]
    for row in rows[1:]:
        row[1:] = [max(rate, first) for rate, first in zip(row[1:], rows[0][1:], strict=True)]


def bracket_0(scene):
    """Calm and storm maintenance rate as voted last."""
    settings = scene.deployment.addresses["settings"]
    return scene.client.call(settings, BRACKETS, BTC)[0][3:5]


def required(scene, asset):
    """What the chain wants for 1e5 USD at its maintenance severity, and the severity; the margin
    of 1e5 USD in wei tells the rate to 1e-23."""
    price = scene.price(asset)[0]
    size = 10**5 * WAD * WAD // price
    engine = scene.deployment.addresses["engine"]
    margin = scene.client.call(engine, ASSESS, MAINTENANCE, 0, 0, [(asset, size, 0, size)], [])[1]
    return -(-size * price // WAD), scene.line(asset)[3], margin


def through_servers(stand):
    """The same signers, each behind HTTP."""
    servers = [SignerServer(signer, "127.0.0.1", 0) for signer in stand.keeper.panel.signers]
    for server, signer in zip(servers, stand.keeper.panel.signers, strict=True):
        signer.look = stand.parts.view  # its own eyes
        server.start()
    remote = [
        RemoteSigner(server.url, signer.address, 60.0)
        for server, signer in zip(servers, stand.keeper.panel.signers, strict=True)
    ]
    stand.keeper.panel = Panel(remote, stand.parts.domain)
    return servers


@pytest.mark.parametrize("is_remote", [False, True])
def test_in_a_ramp_severity_is_solved_for_the_rates_in_force(scene, tmp_path, is_remote):
    """A need that stays where it is: each hour of the ramp wants another severity, and no more."""
    said = Following(need=58_000, depth={"BTC": 10**6, "ETH": 10**6})
    stand = scene.keeper(tmp_path, said=said)
    servers = through_servers(stand) if is_remote else []
    stand.at(START)
    old_calm, old_storm = bracket_0(scene)
    vote_in(scene, BTC, dearer)
    new_calm, new_storm = bracket_0(scene)
    voted = scene.client.block_time()
    seen = set()
    for hours in (1, 2, 11, 12, 23, 24, 26):
        now = START + 3_600 * hours
        stand.at(now)
        elapsed = min(now - voted, RAMP)
        calm = old_calm * (RAMP - elapsed) + new_calm * elapsed
        storm = old_storm * (RAMP - elapsed) + new_storm * elapsed
        # the keeper asks for the least severity that covers the need then
        asked, _ = stand.journal.asked(BTC)
        assert calm * PPM + asked * (storm - calm) >= said.need * PPM * RAMP
        assert calm * PPM + (asked - 1) * (storm - calm) < said.need * PPM * RAMP
        assert scene.line(BTC)[2] == now
        seen.add(asked)
        for later in (600, 660):  # until the price counts again, after hours without one
            stand.at(now + later)
        # the chain blends as this test does
        notional, severity, margin = required(scene, BTC)
        passed = min(scene.client.block_time() - voted, RAMP)
        calm_now = old_calm * (RAMP - passed) + new_calm * passed
        storm_now = old_storm * (RAMP - passed) + new_storm * passed
        rate = calm_now * PPM + severity * (storm_now - calm_now)
        assert margin == -(-notional * rate // (PPM * PPM * RAMP))
    assert len(seen) == 6  # the last two are after the ramp
    assert "SELF_CHECK" not in stand.alarms()
    for server in servers:
        server.close()


# --- other brackets -------------------------------------------------------------------------------


def wider(rows):
    """Twice the bounds."""
    for row in rows:
        row[0] *= 2


def test_other_brackets_are_taken_up_once_their_calibration_is_there(scene, tmp_path):
    """What volume and liquidity say goes with the bounds they were measured for."""
    said = Following(need=58_000)
    stand = scene.keeper(tmp_path, said=said)
    stand.at(START)
    before = scene.line(BTC)
    vote_in(scene, BTC, wider)
    stand.at(START + 3_600)
    assert scene.line(BTC)[2] == before[2]
    assert scene.line(ETH)[2] == START + 3_600
    reasons = [event.get("reason", "") for event in stand.events()]
    assert any("BTC: the chain's brackets are not the calibration's" in each for each in reasons)
    kept = recorded("2020-03-12")["BTC"]
    table = kept.estimator.calibration.schedule
    schedule = replace(table, bounds=tuple(2 * bound for bound in table.bounds))
    calibration = replace(kept.estimator.calibration, schedule=schedule, liquidity=2.0)
    said.files = {"BTC": replace(kept, estimator=replace(kept.estimator, calibration=calibration))}
    stand.at(START + 3_660)
    assert scene.line(BTC)[2] == START + 3_660
    assert said.made_with[-1].calibration.liquidity == 2.0
