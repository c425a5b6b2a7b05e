"""A second act as its modules tell it, with small numbers that add up."""

from scripts.demo_parts.act_outcome import WANTED
from scripts.demo_parts.prediction import Comparison
from scripts.demo_parts.scene import Act
from scripts.demo_parts.second_act import A, Account, SecondAct, W

WAD = 10**18
FIRST = Account(A, 2, 3 * WAD, 1, 2 * WAD, 5 * WAD + 1, 0, 4 * WAD, 0, 0, 0, 0)
LAST = Account(W, 3, 40 * WAD, 2, 0, 12 * WAD, 5 * WAD, 0, 28 * WAD + 2, WAD, 2 * WAD, 25 * WAD + 2)


def second_act():
    """Every kind of act once."""
    acts = [
        Act(
            60 + i,
            f"0x{i:064x}",
            kind,
            "Event",
            W,
            "<what>",
            {"deficit": 0, "tickets": 0, "ended": 0, amount: WAD},
            1.0,
        )
        for i, (kind, amount) in enumerate(WANTED.items())
    ]
    return SecondAct(
        size=200 * WAD,
        prices=[(0, 100 * WAD), (300, 60 * WAD)],
        acts=acts,
        comparisons=[Comparison(1, "vault", {"left": 3}, {"left": 3})],
        accounts=[FIRST, LAST],
        names={1: A, 2: W},
        ratios=[("before", 1.0), (W, 0.9), ("fees", 1.0)],
    )
