# BUG: while the settlement token is in doubt positive cash counts nothing, but the vault's plan
# counted the merged leg with all of the ring's gain as if it stayed a position. Where the book nets
# against its position the gain becomes cash, and the ring stood below initial margin. Cure: no
# book is taken while no new risk may be. Found by attack and by the long profile.
from __future__ import annotations

from oracle.engine.margin import Basis
from tests.stateful.actions import Actions
from tests.stateful.stage import Stage
from tests.unit.mutant_killers.test_waterfall import HOLDER_ISOLATED, bring, resolved

HEDGER_ISOLATED = 5


def test_resolve__in_doubt__a_netted_gain_is_cash_and_no_margin(
    funded: Stage,
) -> None:
    do = Actions(funded)
    resolved(funded, bring(do, HOLDER_ISOLATED, (1, 10), 0))
    ring = funded.model.vault.account_of(0)
    held = do.size(ring, 0)
    assert held > 0
    account = bring(do, HEDGER_ISOLATED, (1, 10), 0)
    assert funded.set_settlement_doubt(True).ok
    resolved(funded, account)
    live = funded.model.margin(Basis.LIVE, ring)
    assert do.size(ring, 0) == held or live.equity >= live.requirement
    assert do.size(account, 0) == 0
