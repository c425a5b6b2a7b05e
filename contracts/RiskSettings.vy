# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Risk settings
@license AGPL-3.0-only
@notice What governance sets in the risk engine: every value is checked here, packed and stored
    there.
@dev Apart from the engine because of the size limit (EIP-170). Holds no state of its own but the
    engine's address and the list of signers. The owner is the engine's. Deploy this first, then the
    engine with this address, then `bind`, by the same deployer.
"""
from contracts.interfaces import IRiskSettings
from contracts.modules import asset_settings
from contracts.modules import engine_link
from contracts.modules import rule_settings

implements: IRiskSettings

initializes: engine_link
initializes: rule_settings[engine_link := engine_link]
initializes: asset_settings[engine_link := engine_link]

exports: (
    asset_settings.list_asset,
    asset_settings.set_config,
    asset_settings.set_schedule,
    asset_settings.set_feed,
    rule_settings.set_price_rules,
    rule_settings.set_push_rules,
    rule_settings.set_signers,
    rule_settings.set_sequencer_feed,
    rule_settings.set_liquidator,
)
exports: (
    asset_settings.brackets,
    asset_settings.config_of,
    asset_settings.line_of,
    rule_settings.price_rules,
    rule_settings.push_rules,
    rule_settings.signers,
    engine_link.engine,
)

DEPLOYER: immutable(address)


@deploy
def __init__():
    DEPLOYER = msg.sender


@external
def bind(
    _engine: address,
    _price_rules: IRiskSettings.PriceRules,
    _push_rules: IRiskSettings.PushRules,
    _signers: DynArray[address, 9],
    _quorum: uint256,
):
    """
    @notice Once, by the deployer: the engine and its first rules. Until then the engine accepts no
        message.
    """
    assert msg.sender == DEPLOYER, "not deployer"
    engine_link._bind(_engine)
    rule_settings._set_price_rules(_price_rules)
    rule_settings._set_push_rules(_push_rules)
    rule_settings._set_signers(_signers, _quorum)
