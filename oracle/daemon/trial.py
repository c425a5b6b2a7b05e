"""Messages tried on the chain before they are sent, and signers that the chain does not take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Final

from oracle.chain import Client, Reverted
from oracle.daemon.alarms import Alarms, Exit
from oracle.daemon.messages import Signed
from oracle.daemon.outbox import simulate
from oracle.daemon.view import View

TRY_AGAIN: Final = 3_600  # [s] after a signer was not accepted


class Trial:
    """Of one sender."""

    def __init__(self, sender: str, alarms: Alarms) -> None:
        self._sender = sender
        self._alarms = alarms
        self._frozen: frozenset[str] = frozenset()
        self._since = 0  # [s] chain time they were all tried
        self._listed: tuple[str, ...] = ()

    def simulate(
        self,
        client: Client,
        to: str,
        encode: Callable[[Sequence[Signed]], bytes],
        signed: Sequence[Signed],
        quorum: int,
    ) -> tuple[Sequence[Signed], int] | str:
        """The gas it takes, or the reason of the refusal. A signer that is frozen makes the chain
        refuse the whole message: then each quorum is tried until one is accepted."""
        try:
            return signed, simulate(client, self._sender, to, encode(signed))
        except Reverted as error:
            if error.reason != "bad signer" or len(signed) <= quorum:
                return error.reason
        for some in combinations(signed, quorum):
            try:
                gas = simulate(client, self._sender, to, encode(some))
            except Reverted:
                continue
            out = sorted({part.signer for part in signed} - {part.signer for part in some})
            self._frozen = frozenset(self._frozen | {address.lower() for address in out})
            self._alarms.sound(Exit.QUORUM, "error", "signer not accepted", signers=out)
            return some, gas
        return "bad signer"

    def allowed(self, view: View) -> list[str]:
        """Signers the chain knows. One it refused is tried again after a while, when the list
        changed, or when no quorum would be left."""
        known = [address for address in view.signers if address not in self._frozen]
        is_old = view.head.time - self._since > TRY_AGAIN or view.signers != self._listed
        if is_old or len(known) < view.quorum:
            self._frozen = frozenset()
            self._since, self._listed = view.head.time, view.signers
            return list(view.signers)
        return known
