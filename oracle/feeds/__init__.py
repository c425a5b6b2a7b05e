"""Where market data enters. Everything past this package is validated and immutable.

Recorded data: `bars` (price bars), `series` (funding, open interest, volatility index), `folder`
(all markets of a folder), `replay` (recordings as a live source), `scenario` (the recorded market
days of the demo). Live data: `venues` (exchanges through ccxt), `chainlink`, `options` (Deribit,
and recorded chains), `depth` (order books, and recorded ones). `sources` says what shapes a source
can have, `quotes` makes one price of several. The page docs/feeds.md lists formats and refusals.
"""
