"""What the environment may say."""

from pathlib import Path

import pytest

from oracle.settings import SettingsError, load_settings

GOOD = {
    "PLIMSOLL_RISK_ENGINE": "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
    "PLIMSOLL_KEYSTORES": '["a.json", "b.json"]',
    "PLIMSOLL_SENDER_KEYSTORE": "c.json",
    "PLIMSOLL_PASSPHRASE_FILE": "secret",
}


@pytest.fixture
def environment(monkeypatch):
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.usefixtures("environment")
def test_all_of_it():
    settings = load_settings()
    assert settings.keystores == [Path("a.json"), Path("b.json")]
    assert settings.rpc_url == "http://127.0.0.1:8545"


@pytest.mark.parametrize("name", GOOD)
def test_missing(environment, name):
    environment.delenv(name)
    with pytest.raises(SettingsError, match=rf"^{name} is not set\.$"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("RISK_ENGINE", "0x12", r"PLIMSOLL_RISK_ENGINE cannot be used: it is no checksummed"),
        ("RPC_URL", "localhost:8545", r"PLIMSOLL_RPC_URL cannot be used: it starts with http"),
        ("TIMEOUT", "0", r"PLIMSOLL_TIMEOUT cannot be used: Input should be greater than 0\.$"),
        ("KEYSTORES", "a.json", r"The environment cannot be read: "),
        ("KEYSTORES", "[]", r"PLIMSOLL_KEYSTORES cannot be used: "),
    ],
)
def test_wrong(environment, name, value, sentence):
    environment.setenv(f"PLIMSOLL_{name}", value)
    with pytest.raises(SettingsError, match="^" + sentence):
        load_settings()
