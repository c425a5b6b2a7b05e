"""Every stored word that matters, decoded by name: from the contracts and from the model.

The contracts are read slot by slot (layout from the compiler), so nothing a view computes can hide
a difference. The bits are those of contracts/modules/*_words.vy, load_line.vy, effective_time.vy
and outflow.vy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from oracle.engine.auctions import STOPPED
from oracle.engine.liquidator import Surety
from oracle.engine.shares import NONE
from oracle.engine.sides import FLAT
from oracle.engine.solvency import NO_TICKET
from oracle.engine.units import RAY, SETTLEMENT_TOKEN

from .driver import Contract, address_of, map_slot

if TYPE_CHECKING:
    from .stage import Stage

Fields = dict[str, int]
Decoder = Callable[[int], Fields]
UNIT = 10**12  # [USD wad] of one settlement token unit
EPOCHS = 12  # finals are compared up to this epoch


def bits(word: int, low: int, width: int) -> int:
    return word >> low & (1 << width) - 1


def signed(word: int, low: int, width: int) -> int:
    value = bits(word, low, width)
    return value - (1 << width) if value >> width - 1 else value


def account(word: int) -> Fields:
    markets = 0
    for place in range(16):
        if bits(word, 6 * place, 6):
            markets = markets * 100 + bits(word, 6 * place, 6)
    return {
        "cash": signed(word, 152, 104),
        "tokens": bits(word, 144, 8),
        "mode": bits(word, 142, 2),
        "floor": bits(word, 128, 14) * 100,
        "gateways": bits(word, 120, 8),
        "markets": markets,
    }


def position(word: int) -> Fields:
    if not word >> 144:
        return {"scaled": 0, "z": signed(word, 16, 128), "epoch": 0}
    return {
        "scaled": signed(word, 144, 112),
        "z": signed(word, 16, 128),
        "epoch": bits(word, 0, 16),
    }


def sides(word: int) -> Fields:
    return {
        "long total": bits(word, 144, 112),
        "short total": bits(word, 32, 112),
        "long epoch": bits(word, 17, 15),
        "short epoch": bits(word, 1, 15),
        "long cut": bits(word, 16, 1),
        "short cut": bits(word, 0, 1),
    }


def cut_side(word: int) -> Fields:
    return {"scale": bits(word, 160, 96), "credit": signed(word, 0, 160)}


def tally(word: int) -> Fields:
    return {"net": signed(word, 128, 128), "fees": bits(word, 0, 128)}


def plain(word: int) -> Fields:
    return {"": word}


def whole(word: int) -> Fields:
    return {"": signed(word, 0, 256)}


def interest(word: int) -> Fields:
    return {"rate": bits(word, 184, 72), "index": bits(word, 40, 144), "at": bits(word, 0, 40)}


def owing(word: int) -> Fields:
    return {"deficit": word >> 128, "tickets": bits(word, 0, 128)}


def apart(word: int) -> Fields:
    return {"insurance": word >> 128, "outgoing": bits(word, 0, 128)}


def ticket_index(word: int) -> Fields:
    return {"epoch": word >> 128, "index": RAY - bits(word, 0, 128)}


def fund_bucket(word: int) -> Fields:
    return {"cap": word >> 128, "filled": bits(word, 0, 128)}


def price(word: int) -> Fields:
    return {
        "price": word >> 166,
        "funding": signed(word, 72, 94),
        "rate": signed(word, 48, 24),
        "observed": bits(word, 16, 32),
        "lag": bits(word, 6, 10),
        "flags": bits(word, 0, 6),
    }


def settling(word: int) -> Fields:
    return {
        "reference": word >> 166,
        "time": bits(word, 134, 32),
        "until": bits(word, 102, 32),
        "since": bits(word, 70, 32),
    }


def held(word: int) -> Fields:
    return {"price": word >> 166, "observed": bits(word, 134, 32), "seen": bits(word, 102, 32)}


def line(word: int) -> Fields:
    names = ("severity", "severity_mm", "severity_im", "depth", "depth_mm", "depth_im")
    fields = {name: bits(word, 236 - 20 * i, 20) for i, name in enumerate(names)}
    return fields | {"pushed": bits(word, 104, 32), "ramp": bits(word, 72, 32)}


def clock(word: int) -> Fields:
    return {
        "since": word >> 224,
        "total": bits(word, 192, 32),
        "grace": bits(word, 160, 32),
        "doubt": bits(word, 113, 1),
    }


def auction(word: int) -> Fields:
    return {
        "running": word & 1,
        "cured": word >> 1 & 1,
        "touched": bits(word, 2, 32),
        "elapsed": word >> 34,
    }


def surety(word: int) -> Fields:
    return {"round": word >> 224, "owned": signed(word, 0, 160)}


def bucket(word: int) -> Fields:
    return {
        "cap": word >> 192,
        "level": bits(word, 128, 64),
        "held": bits(word, 64, 64),
        "window": bits(word, 40, 24),
        "at": bits(word, 0, 40),
    }


def fields_of(record: Any) -> Fields:
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


class Reader:
    """Both halves, with the same names."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.plans: dict[
            tuple[int, ...], list[tuple[Contract, list[int], list[tuple[str, Decoder]]]]
        ] = {}

    def contracts(self) -> Fields:
        stage = self.stage
        accounts = tuple(stage.everyone)
        if accounts not in self.plans:
            self.plans[accounts] = self._plan()
        found: Fields = {}
        for contract, slots, entries in self.plans[accounts]:
            words = stage.driver.words(contract.address, slots)
            for word, (name, decoder) in zip(words, entries, strict=True):
                fields = decoder(word)
                for field, value in fields.items():
                    found[f"{name} {field}" if field else name] = value
        for name, holder in (("usdc", stage.custody), ("vault usdc", stage.vault)):
            slot = stage.usdc.slot("erc20.balanceOf", int(holder.address, 16))
            found[f"{name} held"] = stage.usdc.word(slot)
        held_apart = found["apart insurance"] + found["apart outgoing"]
        found["waiting total"] = found["apart outgoing"] - found["restored"]
        found["vault tokens"] = found["usdc held"] * UNIT - held_apart
        found["weth held"] = stage.weth.word(
            stage.weth.slot("erc20.balanceOf", int(stage.custody.address, 16))
        )
        return found

    def model(self) -> Fields:
        found: Fields = {}
        for name, fields in self._model():
            for field, value in fields.items():
                found[f"{name} {field}" if field else name] = int(value)
        return found

    # --- the contracts' half ----------------------------------------------------------------------

    def _plan(self) -> list[tuple[Contract, list[int], list[tuple[str, Decoder]]]]:
        from .stage import CONFIGS, INTEREST, LIQUIDATORS, MARKETS, OWNERS, TOKEN

        stage = self.stage
        ledger, custody, engine, liquidator, fund, vault = (
            stage.ledger,
            stage.custody,
            stage.engine,
            stage.liquidator,
            stage.fund,
            stage.vault,
        )
        rows: list[tuple[Contract, int, str, Decoder]] = []
        for i, key in enumerate(stage.everyone):
            rows.append((ledger, ledger.slot("accounts.words", key), f"account {i}", account))
            rows.append((ledger, ledger.slot("accounts.indices", key), f"index {i}", plain))
            for place, name in enumerate(("left", "owed", "index", "epoch")):
                slot = custody.slot("reserve.tickets", key) + place
                rows.append((custody, slot, f"ticket {i} {name}", plain))
            slot = custody.slot("balances", key, TOKEN)
            rows.append((custody, slot, f"collateral {i}", plain))
            slot = liquidator.slot("auctions.clocks", key)
            rows.append((liquidator, slot, f"auction {i}", auction))
            for market in MARKETS:
                slot = ledger.slot("positions.position_words", key, market)
                rows.append((ledger, slot, f"position {i} {market}", position))
        for market in MARKETS:
            slot = ledger.slot("positions.side_words", market)
            rows.append((ledger, slot, f"sides {market}", sides))
            rows.append(
                (ledger, ledger.slot("positions.tallies", market), f"tally {market}", tally)
            )
            for short in (0, 1):
                side = 2 * market + short
                slot = ledger.slot("positions.cut_words", side)
                rows.append((ledger, slot, f"cut {market} {short}", cut_side))
                slot = liquidator.slot("waterfall.sureties", side)
                rows.append((liquidator, slot, f"surety {market} {short}", surety))
                for epoch in range(EPOCHS):
                    slot = ledger.slot("positions.finals", side, epoch)
                    rows.append((ledger, slot, f"final {market} {short} {epoch}", whole))
        rows.append((custody, custody.slot("reserve.owing"), "owing", owing))
        rows.append((custody, custody.slot("reserve.apart"), "apart", apart))
        rows.append((custody, custody.slot("reserve.index_word"), "tickets", ticket_index))
        rows.append((custody, custody.slot("reserve.restored"), "restored", plain))
        for market in (*MARKETS, INTEREST):
            rows.append((fund, fund.slot("buckets") + market, f"fund {market}", fund_bucket))
        rows.append((vault, vault.slot("free"), "vault free", plain))
        for market in MARKETS:
            rows.append((vault, vault.slot("rings.given") + market, f"given {market}", plain))
        for contract, name in ((fund, "fund"), (vault, "vault")):
            rows.append((contract, contract.slot("erc20.totalSupply"), f"{name} supply", plain))
            for holder in (*OWNERS, *LIQUIDATORS):
                key = int(address_of(holder), 16)
                slot = contract.slot("erc20.balanceOf", key)
                rows.append((contract, slot, f"{name} shares {holder}", plain))
                for kind in ("deposits", "exits"):
                    slot = contract.slot(f"shares.{kind}", key)
                    rows.append((contract, slot, f"{name} {kind} {holder}", plain))
        rows.append((ledger, ledger.slot("accounts.interest_collected"), "collected", plain))
        rows.append((ledger, ledger.slot("accounts.interest_word"), "interest", interest))
        for token in (TOKEN, SETTLEMENT_TOKEN):
            slot = custody.slot("outflow.buckets", token)
            rows.append((custody, slot, f"bucket {token}", bucket))
            for name in (*OWNERS, *LIQUIDATORS, "owner"):
                slot = custody.slot("outflow.waiting", token, int(address_of(name), 16))
                rows.append((custody, slot, f"waiting {token} {name}", plain))
        slot = map_slot(custody.artifact.layout["listed"], TOKEN) + 3
        rows.append((custody, slot, "token total", plain))
        for asset in CONFIGS:
            for table, decoder in (
                ("prices.prices", price),
                ("prices.settling", settling),
                ("prices.held", held),
                ("load_line.lines", line),
            ):
                slot = engine.slot(table) + asset
                rows.append((engine, slot, f"{table.split('.')[1]} {asset}", decoder))
        rows.append((engine, engine.slot("effective_time.word"), "clock", clock))
        rows.append((engine, engine.slot("scalars.words") + 3, "pause ended", plain))
        return [
            (
                contract,
                [slot for c, slot, _, _ in rows if c is contract],
                [(name, decoder) for c, _, name, decoder in rows if c is contract],
            )
            for contract in (ledger, custody, engine, liquidator, fund, vault)
        ]

    # --- the model's half -------------------------------------------------------------------------

    def _model(self) -> Iterator[tuple[str, Fields]]:
        yield from self._accounts()
        yield from self._markets()
        yield from self._reserves()
        yield from self._assets()

    def _accounts(self) -> Iterator[tuple[str, Fields]]:
        from .stage import MARKETS, TOKEN

        model = self.stage.model
        ledger = model.ledger.state
        for i, key in enumerate(self.stage.everyone):
            state = ledger.accounts[key]
            markets = 0
            for market in state.markets:
                markets = markets * 100 + market + 1
            yield (
                f"account {i}",
                {
                    "cash": state.cash,
                    "tokens": state.tokens,
                    "mode": state.mode,
                    "floor": state.floor,
                    "gateways": state.gateways,
                    "markets": markets,
                },
            )
            yield f"index {i}", {"": ledger.indices.get(key, 0)}
            yield f"ticket {i}", fields_of(model.custody.state.tickets.get(key, NO_TICKET))
            yield f"collateral {i}", {"": model.custody.collateral_of(key, TOKEN)}
            at = model.liquidator.state.clocks.get(key, STOPPED)
            if not at.running:
                at = STOPPED
            yield (
                f"auction {i}",
                {
                    "running": at.running,
                    "cured": at.cured,
                    "touched": at.touched,
                    "elapsed": at.elapsed,
                },
            )
            for market in MARKETS:
                own = ledger.positions.get((key, market), FLAT)
                epoch = own.epoch if own.scaled else 0
                yield (
                    f"position {i} {market}",
                    {"scaled": own.scaled, "z": own.z, "epoch": epoch},
                )

    def _markets(self) -> Iterator[tuple[str, Fields]]:
        from .stage import MARKETS

        model = self.stage.model
        for market in MARKETS:
            stored = model.ledger.market(market)
            long, short = stored.long, stored.short
            yield (
                f"sides {market}",
                {
                    "long total": long.total,
                    "short total": short.total,
                    "long epoch": long.epoch,
                    "short epoch": short.epoch,
                    "long cut": long.cut,
                    "short cut": short.cut,
                },
            )
            yield f"tally {market}", {"net": stored.net, "fees": stored.fees}
            for number, side in ((0, long), (1, short)):
                if side.cut:
                    fields = {"scale": side.scale, "credit": side.credit}
                else:  # the word is not read until the side is cut again
                    assert side.scale == RAY
                    assert side.credit == 0
                    fields = self._stale_cut(market, number)
                yield f"cut {market} {number}", fields
                known = model.liquidator.state.sureties.get((market, number == 0), Surety())
                yield f"surety {market} {number}", fields_of(known)
                finals = model.ledger.finals(market)
                for epoch in range(EPOCHS):
                    final = finals.get((number == 0, epoch), 0)
                    yield f"final {market} {number} {epoch}", {"": final}

    def _stale_cut(self, market: int, number: int) -> Fields:
        name = f"cut {market} {number}"
        return {field: self.stage.words[f"{name} {field}"] for field in ("scale", "credit")}

    def _reserves(self) -> Iterator[tuple[str, Fields]]:
        from .stage import LIQUIDATORS, OWNERS, TOKEN

        model = self.stage.model
        ledger, custody = model.ledger.state, model.custody.state
        reserve = custody.reserve
        yield "owing", {"deficit": reserve.deficit, "tickets": reserve.tickets}
        yield "restored", {"": reserve.restored}
        yield "tickets", {"epoch": reserve.epoch, "index": reserve.index}
        yield "vault tokens", {"": reserve.tokens}
        yield "collected", {"": ledger.interest_collected}
        rates = ledger.interest
        for name in ("rate", "index", "at"):
            yield f"interest {name}", {"": getattr(rates, name)}
        waiting = {TOKEN: 0, SETTLEMENT_TOKEN: 0}
        for token in waiting:
            yield f"bucket {token}", fields_of(custody.buckets[token])
            for name in (*OWNERS, *LIQUIDATORS, "owner"):
                due = custody.waiting.get((token, int(address_of(name), 16)), 0)
                waiting[token] += due
                yield f"waiting {token} {name}", {"": due}
        total = custody.tokens[TOKEN].total if TOKEN in custody.tokens else 0
        yield "token total", {"": total}
        apart = reserve.insurance + reserve.restored + waiting[SETTLEMENT_TOKEN]
        outgoing = reserve.restored + waiting[SETTLEMENT_TOKEN]
        yield "apart", {"insurance": reserve.insurance, "outgoing": outgoing}
        yield "waiting total", {"": waiting[SETTLEMENT_TOKEN]}
        yield "usdc held", {"": (reserve.tokens + apart) // UNIT}
        yield "weth held", {"": total + waiting[TOKEN]}
        yield from self._capital()

    def _capital(self) -> Iterator[tuple[str, Fields]]:
        from .stage import INTEREST, LIQUIDATORS, MARKETS, OWNERS

        model = self.stage.model
        for market in (*MARKETS, INTEREST):
            yield f"fund {market}", fields_of(model.fund.bucket(market))
        yield "vault free", {"": model.vault.state.free}
        for market in MARKETS:
            yield f"given {market}", {"": model.vault.state.given.get(market, 0)}
        requested = sum(each.amount for each in model.vault_shares.state.deposits.values())
        yield "vault usdc held", {"": model.vault.state.free + requested}
        for shares, name in ((model.fund_shares, "fund"), (model.vault_shares, "vault")):
            yield f"{name} supply", {"": shares.state.supply}
            for holder in (*OWNERS, *LIQUIDATORS):
                key = int(address_of(holder), 16)
                yield f"{name} shares {holder}", {"": shares.balance_of(key)}
                for kind in ("deposits", "exits"):
                    request = getattr(shares.state, kind).get(key, NONE)
                    yield f"{name} {kind} {holder}", {"": request.amount}

    def _assets(self) -> Iterator[tuple[str, Fields]]:
        from .stage import CONFIGS

        engine = self.stage.model.engine.state
        for key in CONFIGS:
            asset = engine.assets[key]
            mark = asset.mark
            flags = (
                mark.is_held
                | mark.is_refused << 1
                | mark.feed_reduces << 2
                | mark.has_settled << 3
                | mark.guardian_reduces << 4
            )
            yield (
                f"prices {key}",
                {
                    "price": mark.price,
                    "funding": mark.funding,
                    "rate": mark.rate,
                    "observed": mark.observed,
                    "lag": mark.lag,
                    "flags": flags,
                },
            )
            at = asset.settling
            yield (
                f"settling {key}",
                {
                    "reference": at.reference,
                    "time": at.reference_time,
                    "until": at.until,
                    "since": at.since,
                },
            )
            jump = asset.jump
            yield (
                f"held {key}",
                {"price": jump.price, "observed": jump.observed, "seen": jump.seen},
            )
            stored = asset.line
            yield (
                f"lines {key}",
                {
                    "severity": stored.severity,
                    "severity_mm": stored.severity_mm,
                    "severity_im": stored.severity_im,
                    "depth": stored.depth,
                    "depth_mm": stored.depth_mm,
                    "depth_im": stored.depth_im,
                    "pushed": stored.pushed,
                    "ramp": asset.ramp_start,
                },
            )
        at_clock = engine.clock
        yield (
            "clock",
            {
                "since": at_clock.paused_since,
                "total": at_clock.paused_total,
                "grace": at_clock.grace_until,
                "doubt": at_clock.in_doubt,
            },
        )
        yield "pause ended", {"": at_clock.pause_ended}
