"""A table that is voted in while a keeper runs: severity was solved for the one before."""

from __future__ import annotations

from oracle.chain import Call, Function
from oracle.daemon.view import BRACKETS
from tests.support.keeper_stage import BTC, ETH, START, Said

ROWS = "(uint256,uint256,uint256,uint256,uint256)[]"
SET_SCHEDULE = Function(f"set_schedule(uint256,{ROWS})")
OWNER = Function("owner()", ("address",))


def vote_in(scene, asset):
    """A storm rate one ppm above the one in force, by whoever may."""
    settings, client = scene.deployment.addresses["settings"], scene.client
    rows = [list(row) for row in client.call(settings, BRACKETS, asset)]
    rows[0][4] += 1
    owner = client.call(scene.deployment.addresses["engine"], OWNER)
    client.request("anvil_impersonateAccount", owner)
    client.request("anvil_setBalance", owner, hex(10**18))
    call = Call(settings, SET_SCHEDULE, (asset, rows), owner)
    client.request("eth_sendTransaction", {**call.params, "gas": hex(3_000_000)})
    assert client.call(settings, BRACKETS, asset)[0][4] == rows[0][4]


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
