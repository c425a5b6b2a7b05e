"""Twin of RiskEngine.vy: prices, tier schedules and load lines; answers what margin a book needs.

Who may call is not modelled: signatures and roles are the caller's matter. Quotes come as packed
integers of a quorum, one tuple a signer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from oracle.engine import (
    clocks,
    effective_time,
    liquidation,
    listing,
    margin,
    prices,
    reports,
    tiers,
)
from oracle.engine import steward as pushes
from oracle.engine.chain import Chain
from oracle.engine.clocks import Line, Loads, Slopes
from oracle.engine.effective_time import Clock, PriceRules
from oracle.engine.listing import BUFFER
from oracle.engine.margin import Basis, Context, Holding, Leg, Margin
from oracle.engine.prices import Asset, Config, FeedReading, FeedRule, Jump
from oracle.engine.reports import Batch
from oracle.engine.rounding import div_floor, wad_mul_floor
from oracle.engine.steward import LinePush, PushRules
from oracle.engine.tiers import Schedule, TierRow
from oracle.engine.units import PPM, TOKEN_ASSETS, Ppm, Price, Seconds, Size, Usd, require

ASSETS = 40


@dataclass(frozen=True, slots=True)
class Clocks:
    """Fixed at deployment: changing one would move MM in its own block."""

    severity_up: int = 50_000  # [ppm per hour]
    severity_down: int = 50_000
    depth_down: int = 250_000
    depth_up: int = 10_000
    ramp: int = 3_600  # [s]


@dataclass(frozen=True, slots=True)
class Quote:
    """What the ledger needs to know of a market."""

    mark: int  # [USD wad]
    funding: int  # [USD wad per base] F
    state: int
    band: int  # [ppm]
    open_interest_cap: int | None  # [USD wad]
    min_size: int  # [base wad]
    maker_fee: int  # [ppm]
    taker_fee: int  # [ppm]

    @property
    def g(self) -> int:
        """The funding-adjusted mark [USD wad per base]."""
        return self.mark - self.funding


@dataclass(frozen=True, slots=True)
class Reference:
    """What deleveraging needs to know of a market (FORMULAS 2)."""

    mark: int  # [USD wad]
    funding: int  # [USD wad per base]
    reference: int  # [USD wad] P_ref
    round: int  # [s]
    calm_mmr: int  # [ppm]
    state: int


@dataclass(frozen=True, slots=True)
class PriceView:
    """What is known of an asset's price now."""

    price: int
    observed: int
    state: int
    funding: int
    rate: int


@dataclass(slots=True)
class EngineState:
    """All the engine stores."""

    clock: Clock
    push_rules: PushRules
    assets: dict[int, Asset] = field(default_factory=dict)
    feeds: dict[int, FeedReading] = field(default_factory=dict)  # what the feeds answer


NOWHERE = Line(Ppm(0), Ppm(0), Ppm(0), Ppm(0), Ppm(0), Ppm(0), Seconds(0))
UNLISTED = Asset(config=Config(0, 0, 0, 0, 0, 0), line=NOWHERE, im=Schedule(), mm=Schedule())


class RiskEngine:
    """Prices, tier schedules and load lines. Holds no money."""

    def __init__(
        self,
        chain: Chain,
        fixed: Clocks,
        price_rules: PriceRules,
        push_rules: PushRules,
        quorum: int = 1,
    ) -> None:
        listing.check_price_rules(price_rules)
        listing.check_push_rules(push_rules)
        self.chain = chain
        self.fixed = fixed
        self.quorum = quorum
        self.state = EngineState(clock=Clock(price_rules), push_rules=push_rules)

    # --- the ledger's and the liquidator's questions ---------------------------------------------

    def assess(
        self, basis: Basis, cash: int, floor: int, legs: Iterable[Leg], held: Iterable[Holding]
    ) -> Margin:
        """Equity, requirement and state of a book."""
        assets = defaultdict(lambda: UNLISTED, self.state.assets)
        return margin.assess(self.context(basis, floor), cash, legs, held, assets)

    def quote(self, market: int) -> Quote:
        """Mark, limits and fees of a market."""
        asset = self.asset(market)
        config = asset.config
        return Quote(
            mark=asset.mark.price,
            funding=self.funding_of(asset),
            state=self.state_of(asset),
            band=config.band,
            open_interest_cap=prices.cap_of(config),
            min_size=config.min_size,
            maker_fee=config.maker_fee,
            taker_fee=config.taker_fee,
        )

    def reference_of(self, market: int) -> Reference:
        """Mark, P_ref, and calm MMR_0 (the lower of two if P_ref is older than a ramp's end)."""
        asset = self.asset(market)
        at = prices.reference_of(asset, self.state.clock, self.now)
        return Reference(
            mark=asset.mark.price,
            funding=self.funding_of(asset),
            reference=at.price,
            round=at.round,
            calm_mmr=self._calm_mmr_at(asset, at.round),
            state=self.state_of(asset),
        )

    def liquidation_size(
        self, market: int, size: int, equity: int, requirement: int, fee: int
    ) -> Size:
        """q* of a leg (FORMULAS 4); equity and requirement are the account's."""
        asset = self.asset(market)
        load = margin.load_of(asset, self.context(Basis.MAINTENANCE, 0))
        stake = liquidation.Stake(size, asset.mark.price, equity, requirement, load)
        return liquidation.liquidation_size(stake, fee, BUFFER)

    def collateral_value(self, held: Iterable[Holding]) -> tuple[Usd, int]:
        """Raw value at the last prices, each holding rounded down, and the state bits."""
        value = state = 0
        for holding in held:
            asset = self.asset(TOKEN_ASSETS + holding.token)
            value += wad_mul_floor(holding.amount, asset.mark.price)
            state |= self.state_of(asset)
        return Usd(value), state

    def collateral_terms(self, token: int) -> tuple[Ppm, Price, int]:
        """MM haircut of bracket 0 now [ppm, rounded down], price, state bits."""
        asset = self.asset(TOKEN_ASSETS + token)
        load = margin.load_of(asset, self.context(Basis.MAINTENANCE, 0))
        rate = load.blend.marginal(0, load.severity, load.depth)
        haircut = div_floor(rate * PPM, load.blend.denominator)
        return Ppm(haircut), Price(asset.mark.price), self.state_of(asset)

    def clock(self) -> tuple[Seconds, bool]:
        """Effective time, and whether paused."""
        return self.now, self.state.clock.is_paused

    def begin_aftermath(self, market: int) -> None:
        """A resolution left a deficit: opening and outflow are barred for settle_window."""
        clock = self.state.clock
        until = self.now + clock.rules.settle_window
        asset = prices.settle(self.asset(market), clock, self.now, until, 0)
        self.state.assets[market] = asset

    # --- reports and pushes ----------------------------------------------------------------------

    def report(
        self, observed: int, assets: Sequence[int], quotes: Sequence[Sequence[int]]
    ) -> list[int]:
        """Signed prices; quotes[signer][i] is of assets[i]. Returns the accepted prices (or 0)."""
        clock = self.state.clock
        require(not clock.is_paused, "paused")
        age = self.chain.timestamp - observed
        require(observed % clock.rules.period == 0 and age >= 0, "period")
        require(age <= 2 * clock.rules.period, "expired")
        require(all(len(row) == len(assets) for row in quotes), "bad parameters")
        require(len(quotes) >= self.quorum, "quorum")
        return [
            self._report_asset(asset, [row[i] for row in quotes], observed)
            for i, asset in enumerate(assets)
        ]

    def push(self, valid_until: int, lines: Sequence[LinePush]) -> None:
        """Severity and depth of several assets; whole or not at all."""
        require(not self.state.clock.is_paused, "paused")
        require(self.chain.timestamp <= valid_until, "expired")
        for push in lines:
            asset = self.asset(push.asset)
            require(asset.line.pushed != 0, "nonce")
            pushes.check_line(push, asset.line, self.state.push_rules, self.now)
            line = clocks.push(asset.line, push.severity, push.depth, self.now, self.slopes)
            self.state.assets[push.asset] = replace(asset, line=line)

    # --- guardian --------------------------------------------------------------------------------

    def pause(self) -> None:
        """Stop everything but collateral in."""
        self.state.clock = effective_time.pause(self.state.clock, self.chain.timestamp)

    def unpause(self) -> None:
        """Lift the pause."""
        self.state.clock = effective_time.unpause(self.state.clock, self.chain.timestamp)

    def set_reduce_only(self, asset: int, reduce_only: bool) -> None:
        """Bar new risk in an asset."""
        stored = self.asset(asset)
        mark = replace(stored.mark, guardian_reduces=reduce_only)
        self.state.assets[asset] = replace(stored, mark=mark)

    def set_settlement_doubt(self, in_doubt: bool) -> None:
        """The settlement token may not be worth its face."""
        self.state.clock = replace(self.state.clock, in_doubt=in_doubt)

    # --- governance ------------------------------------------------------------------------------

    def list_asset(
        self, asset: int, config: Config, rows: Sequence[TierRow], severity: int, depth: int
    ) -> None:
        """List an asset: its schedule applies at once, its clocks start where they are to stay."""
        listing.check_bounds(asset, 0, ASSETS - 1)
        listing.check_bounds(severity, 0, PPM)
        listing.check_bounds(depth, self.state.push_rules.depth_min, PPM)
        require(asset not in self.state.assets, "listed")
        listing.check_rows(rows, is_market=asset < TOKEN_ASSETS)
        im, mm = tiers.split_rows(rows)
        s, d = Ppm(severity), Ppm(depth)
        listed = Asset(
            config=config,
            line=Line(s, s, s, d, d, d, self.now),
            im=Schedule(im, im),
            mm=Schedule(mm, mm),
        )
        self._set_config(asset, listed, config)

    def set_config(self, asset: int, config: Config) -> None:
        """Guards, fees, ages and caps of an asset."""
        listed = self._listed(asset)
        if config.price_max_age > listed.config.price_max_age:
            age = self.now - listed.mark.observed
            is_dead = listed.mark.observed != 0 and age > listed.config.price_max_age
            require(not is_dead, "stale")
        self._set_config(asset, listed, config)

    def set_schedule(self, asset: int, rows: Sequence[TierRow]) -> None:
        """Vote in a new table; it blends in linearly over the ramp."""
        listed = self._listed(asset)
        require(not listing.is_ramping(listed, self.now, self.fixed.ramp), "ramping")
        listing.check_rows(rows, is_market=asset < TOKEN_ASSETS)
        im, mm = tiers.split_rows(rows)
        voted = replace(
            listed,
            im=listed.im.replaced_by(im),
            mm=listed.mm.replaced_by(mm),
            ramp_start=self.now,
        )
        listing.check_move(voted, voted.config, self.now, self.fixed.ramp)
        self.state.assets[asset] = voted

    def set_feed(self, asset: int, rule: FeedRule | None) -> None:
        """Reference feed of an asset; None for none."""
        listed = self._listed(asset)
        mark = listed.mark if rule else replace(listed.mark, feed_reduces=False)
        self.state.assets[asset] = replace(listed, feed=rule, mark=mark)

    def set_price_rules(self, rules: PriceRules) -> None:
        """Grid, spread, confirmation delay, grace and settle window."""
        listing.check_price_rules(rules)
        self.state.clock = replace(self.state.clock, rules=rules)

    def set_push_rules(self, rules: PushRules) -> None:
        """Steps, delay, staleness and the least depth."""
        listing.check_push_rules(rules)
        self.state.push_rules = rules

    # --- views -----------------------------------------------------------------------------------

    @property
    def now(self) -> Seconds:
        """Effective time."""
        return self.state.clock.now(self.chain.timestamp)

    @property
    def slopes(self) -> Slopes:
        """The clocks' slopes and when a keeper counts as stale."""
        rules = self.state.push_rules
        return Slopes(
            severity_up=self.fixed.severity_up,
            severity_down=self.fixed.severity_down,
            depth_down=self.fixed.depth_down,
            depth_up=self.fixed.depth_up,
            keeper_max_age=rules.max_age,
            depth_min=Ppm(rules.depth_min),
        )

    def asset(self, asset: int) -> Asset:
        """All that is stored of an asset; zeros where it is not listed."""
        return self.state.assets.get(asset, UNLISTED)

    def context(self, basis: Basis, floor: int) -> Context:
        """What the legs of a question share."""
        return Context(
            basis=basis,
            floor=floor,
            clock=self.state.clock,
            slopes=self.slopes,
            ramp=self.fixed.ramp,
            now=self.now,
            base=self.base_state(),
        )

    def base_state(self) -> int:
        """State bits common to every asset."""
        return effective_time.base_state(self.state.clock, self.chain.timestamp)

    def state_of(self, asset: Asset) -> int:
        """State bits of an asset."""
        return prices.status_of(asset, self.base_state(), self.now).bits

    def funding_of(self, asset: Asset) -> Price:
        """F now [USD wad per base]."""
        return prices.funding_at(asset.mark, self.now, asset.config.price_max_age)

    def line_of(self, asset: int) -> Loads:
        """Severity and depth as each question sees them now."""
        return clocks.loads(self.asset(asset).line, self.now, self.slopes)

    def price_of(self, asset: int) -> PriceView:
        """What is known of an asset's price."""
        stored = self.asset(asset)
        return PriceView(
            price=stored.mark.price,
            observed=stored.mark.observed,
            state=self.state_of(stored),
            funding=self.funding_of(stored),
            rate=stored.mark.rate,
        )

    def pending(self, asset: int) -> Jump | None:
        """A held jump."""
        stored = self.asset(asset)
        return stored.jump if stored.mark.is_held else None

    def tier_requirement(self, market: int, size: int, basis: Basis) -> Usd:
        """IM or MM of one leg at the stored price, whatever its state."""
        asset = self.asset(market)
        load = margin.load_of(asset, self.context(basis, 0))
        return load.requirement(liquidation.notional_of(size, asset.mark.price))

    # --- internals -------------------------------------------------------------------------------

    def _listed(self, asset: int) -> Asset:
        require(asset in self.state.assets, "not listed")
        return self.state.assets[asset]

    def _set_config(self, asset: int, listed: Asset, config: Config) -> None:
        listing.check_config(config)
        listing.check_move(listed, config, self.now, self.fixed.ramp)
        listing.check_representable(config)
        self.state.assets[asset] = replace(listed, config=config)

    def _report_asset(self, asset: int, quotes: Sequence[int], observed: int) -> int:
        if asset not in self.state.assets:
            return 0
        batch = Batch(
            clock=self.state.clock,
            slopes=self.slopes,
            ramp=self.fixed.ramp,
            timestamp=self.chain.timestamp,
            now=self.now,
            observed=observed - self.state.clock.paused_total,
            base=self.base_state(),
            is_market=asset < TOKEN_ASSETS,
        )
        reading = self.state.feeds.get(asset)
        stored = self.state.assets[asset]
        self.state.assets[asset], price = reports.report_asset(stored, quotes, reading, batch)
        return price

    def _calm_mmr_at(self, asset: Asset, time: int) -> int:
        """Calm MMR_0 [ppm]; the lower of both tables' before the end of a ramp."""
        tables = [asset.mm.new]
        if time < asset.ramp_start + self.fixed.ramp:
            tables.append(asset.mm.old)
        return min((table[0].calm for table in tables if table), default=0)
