"""Who counts in a quorum."""

import boa
import pytest

from .harness import START, WAD, ZERO, Signer, System, make_signers, quote

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
PRICE = {0: 2_001 * WAD}


@pytest.fixture
def due(live: System) -> System:
    """The next report is due."""
    live.wait(60)
    return live


def altered(signatures, index, v=None, r=None, s=None):
    out = list(signatures)
    old = out[index]
    out[index] = (
        old[0] if v is None else v,
        old[1] if r is None else r,
        old[2] if s is None else s,
    )
    return out


def test_quorum__exactly_m__is_enough(due: System):
    assert due.report(PRICE, signers=due.signers[1:]) == [quote(2_001 * WAD)]


@pytest.mark.parametrize("count", [0, 1])
def test_quorum__too_few__reverts(due: System, count: int):
    with boa.reverts("quorum"):
        due.report(PRICE, signers=due.signers[:count])


def test_quorum__duplicate__reverts(due: System):
    first = due.signers[0]
    with boa.reverts("bad signer"):
        due.report(PRICE, signers=[first, first])


def test_quorum__descending__reverts(due: System):
    with boa.reverts("bad signer"):
        due.report(PRICE, signers=due.signers[::-1])


def test_quorum__stranger__reverts(due: System):
    everyone = make_signers(5)
    with boa.reverts("bad signer"):
        due.report(PRICE, signers=everyone)


def test_quorum__frozen_signer__reverts_until_named_again(due: System):
    frozen = due.signers[0]
    with due.as_guardian():
        due.engine.freeze_signer(frozen.address)
    with boa.reverts("bad signer"):
        due.report(PRICE)
    with due.as_guardian(), boa.reverts("bad signer"):
        due.engine.freeze_signer(frozen.address)
    assert due.report(PRICE, signers=due.signers[1:]) != [0]
    with due.as_owner():
        due.settings.set_signers([s.address for s in due.signers], 2)
    due.wait(60)
    assert due.report(PRICE) != [0]


def test_signature__high_s__reverts(due: System):
    *head, signatures = due.sign_report(PRICE)
    v, _, s = signatures[0]
    with boa.reverts("bad signer"):
        due.engine.report(*head, altered(signatures, 0, v=55 - v, s=ORDER - s))


@pytest.mark.parametrize("v", [0, 1, 29, 27 + 256, 2**255 + 27])
def test_signature__v_not_27_or_28__reverts(due: System, v: int):
    *head, signatures = due.sign_report(PRICE)
    with boa.reverts("bad signer"):
        due.engine.report(*head, altered(signatures, 0, v=v))


@pytest.mark.parametrize("field", ["r", "s"])
def test_signature__zero__recovers_nobody(due: System, field: str):
    *head, signatures = due.sign_report(PRICE)
    with boa.reverts("bad signer"):
        due.engine.report(*head, altered(signatures, 0, **{field: 0}))


def test_signature__of_another_quote__reverts(due: System):
    observed, assets, quotes, signatures = due.sign_report(PRICE)
    with boa.reverts("bad signer"):
        due.engine.report(observed, assets, [quotes[0] + 1, *quotes[1:]], signatures)


def test_signature__for_other_assets__reverts(due: System):
    observed, _, quotes, signatures = due.sign_report(PRICE)
    with boa.reverts("bad signer"):
        due.engine.report(observed, [32], quotes, signatures)


def test_signature__of_another_time__reverts(due: System):
    due.wait(60)
    _, *rest = due.sign_report(PRICE)
    with boa.reverts("bad signer"):
        due.engine.report(due.grid - 60, *rest)


def sign_elsewhere(system: System, signer: Signer, contract: str, chain: int):
    message = {"observed": system.grid, "assets": [0], "quotes": [quote(2_001 * WAD)]}
    return signer.sign(contract, "Report", message, chain)


@pytest.mark.parametrize("where", ["chain", "contract"])
def test_signature__for_another_domain__reverts(due: System, where: str):
    chain = boa.env.evm.patch.chain_id + (where == "chain")
    contract = due.engine.address if where == "chain" else due.settings.address
    signatures = [sign_elsewhere(due, s, contract, chain) for s in due.signers]
    with boa.reverts("bad signer"):
        due.engine.report(due.grid, [0], [quote(2_001 * WAD)] * 3, signatures)


def test_signature__chain_id_changes__domain_follows(due: System):
    old = due.sign_report(PRICE)
    before = boa.env.evm.patch.chain_id
    try:
        boa.env.evm.patch.chain_id = before + 1
        with boa.reverts("bad signer"):
            due.engine.report(*old)
        assert due.report(PRICE) != [0]
    finally:
        boa.env.evm.patch.chain_id = before


def test_report__replayed__changes_nothing(due: System):
    signed = due.sign_report(PRICE)
    due.send(*signed)
    due.wait(30)
    assert due.send(*signed) == [0]
    assert due.engine.price_of(0).observed == START + 60


def test_set_signers__unsorted_or_zero_or_twice__reverts(system: System):
    a, b, c = (s.address for s in system.signers)
    with system.as_owner():
        for wrong in ([b, a, c], [a, a, b], [ZERO, a, b], []):
            with boa.reverts("bad parameters"):
                system.settings.set_signers(wrong, 2)


@pytest.mark.parametrize(
    ("count", "quorum", "valid"),
    [
        (1, 0, False),
        (1, 1, True),
        (3, 1, False),
        (3, 2, True),
        (3, 4, False),
        (4, 2, False),
        (4, 3, True),
        (9, 5, False),
        (9, 6, True),
        (9, 9, True),
    ],
)
def test_set_signers__two_thirds__is_the_least_quorum(
    system: System, count: int, quorum: int, valid: bool
):
    names = [s.address for s in make_signers(count)]
    with system.as_owner():
        if not valid:
            with boa.reverts("bad parameters"):
                system.settings.set_signers(names, quorum)
            return
        system.settings.set_signers(names, quorum)
    assert system.settings.signers() == (names, quorum)


def test_set_signers__the_old_ones__no_longer_count(due: System):
    with due.as_owner():
        due.settings.set_signers([s.address for s in due.signers[:2]], 2)
    with boa.reverts("bad signer"):
        due.report(PRICE, signers=due.signers[1:])
    assert due.report(PRICE, signers=due.signers[:2]) != [0]
