# BUG: the vault said it had room for a book by its ring's cash, then the ledger asked the ring for
# initial margin and refused: while the settlement token is in doubt, positive cash counts nothing
# for it. `resolve` reverted "initial margin" until the doubt ended, though the opposite side could
# have taken the book. Cure: the plan asks the question that counts afterwards. Found reading the
# plan for its gas; the state machine never resolved in doubt, now it does.
from __future__ import annotations

from tests.stateful.actions import Actions
from tests.stateful.stage import Stage
from tests.unit.mutant_killers.test_waterfall import HOLDER_ISOLATED, bring, resolved


def test_resolve__settlement_token_in_doubt__the_opposite_side_takes_the_book(
    funded: Stage,
) -> None:
    do = Actions(funded)
    account = bring(do, HOLDER_ISOLATED, (-1, 1), 0)
    ring = funded.model.vault.account_of(0)
    assert funded.set_settlement_doubt(True).ok
    assert resolved(funded, account)["deficit"] > 0
    assert do.size(ring, 0) == do.size(account, 0) == 0
