"""A loopback HTTP server that answers as Binance, OKX, Bybit, Kraken and Deribit do.

Formats are those of the exchanges' public documentation (the fields ccxt reads and the ones around
them), numbers are made up. A test changes an answer by giving another body, status or behaviour
for a path.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

HOUR_MS = 3_600_000


class ExchangeServer:
    """Answers GET requests by path. All exchanges live on one port: their paths differ.

    Attributes:
        price: per symbol such as "BTC", what every exchange says its mark price is.
        faults: path -> what to do instead of answering; see `Fault`.
        asked: how often each path was asked.
    """

    def __init__(self) -> None:
        self.reset()
        self.routes: dict[str, Callable[[dict[str, str]], Any]] = {
            "/fapi/v1/exchangeInfo": self._binance_markets,
            "/fapi/v1/premiumIndex": self._binance_premium,
            "/fapi/v1/openInterest": self._binance_interest,
            "/fapi/v1/depth": self._binance_depth,
            "/fapi/v1/markPriceKlines": self._binance_klines,
            "/fapi/v1/klines": self._binance_trades,
            "/fapi/v1/ticker/24hr": self._binance_ticker,
            "/api/v5/public/instruments": self._okx_markets,
            "/api/v5/public/mark-price": self._okx_mark,
            "/api/v5/public/funding-rate": self._okx_funding,
            "/api/v5/public/open-interest": self._okx_interest,
            "/api/v5/market/books": self._okx_book,
            "/api/v5/market/history-mark-price-candles": self._okx_candles,
            "/api/v5/market/mark-price-candles": self._okx_candles,
            "/v5/market/instruments-info": self._bybit_markets,
            "/v5/market/tickers": self._bybit_tickers,
            "/v5/market/open-interest": self._bybit_interest,
            "/v5/market/orderbook": self._bybit_book,
            "/v5/market/mark-price-kline": self._bybit_kline,
            "/derivatives/api/v3/instruments": self._kraken_markets,
            "/derivatives/api/v3/tickers/PF_XBTUSD": self._kraken_ticker,
            "/derivatives/api/v3/tickers": self._kraken_tickers,
            "/derivatives/api/v3/orderbook": self._kraken_book,
            "/api/charts/v1/mark/PF_XBTUSD/1h": self._kraken_candles,
            "/api/v2/public/get_book_summary_by_currency": self._deribit_summaries,
        }
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def reset(self) -> None:
        """No faults, the first price, nobody asked, now."""
        self.price = {"BTC": "60000.5"}
        self.now_ms = int(time.time() * 1000)
        self.faults: dict[str, Fault] = {}
        self.asked: Counter[str] = Counter()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    # Binance USD-M futures: https://developers.binance.com/docs/derivatives/usds-margined-futures

    def _binance_markets(self, query: dict[str, str]) -> Any:
        return {
            "timezone": "UTC",
            "serverTime": self.now_ms,
            "rateLimits": [
                {
                    "rateLimitType": "REQUEST_WEIGHT",
                    "interval": "MINUTE",
                    "intervalNum": 1,
                    "limit": 2400,
                }
            ],
            "exchangeFilters": [],
            "assets": [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "-10000"}],
            "symbols": [
                {
                    "symbol": "BTCUSDT",
                    "pair": "BTCUSDT",
                    "contractType": "PERPETUAL",
                    "deliveryDate": 4133404800000,
                    "onboardDate": 1569398400000,
                    "status": "TRADING",
                    "maintMarginPercent": "2.5000",
                    "requiredMarginPercent": "5.0000",
                    "baseAsset": "BTC",
                    "quoteAsset": "USDT",
                    "marginAsset": "USDT",
                    "pricePrecision": 2,
                    "quantityPrecision": 3,
                    "baseAssetPrecision": 8,
                    "quotePrecision": 8,
                    "underlyingType": "COIN",
                    "underlyingSubType": ["PoW"],
                    "triggerProtect": "0.0500",
                    "liquidationFee": "0.012500",
                    "marketTakeBound": "0.05",
                    "filters": [
                        {
                            "filterType": "PRICE_FILTER",
                            "minPrice": "556.80",
                            "maxPrice": "4529764",
                            "tickSize": "0.10",
                        },
                        {
                            "filterType": "LOT_SIZE",
                            "stepSize": "0.001",
                            "maxQty": "1000",
                            "minQty": "0.001",
                        },
                        {
                            "filterType": "MARKET_LOT_SIZE",
                            "stepSize": "0.001",
                            "maxQty": "120",
                            "minQty": "0.001",
                        },
                        {"filterType": "MIN_NOTIONAL", "notional": "100"},
                    ],
                    "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET"],
                    "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
                }
            ],
        }

    def _binance_premium(self, query: dict[str, str]) -> Any:
        return {
            "symbol": "BTCUSDT",
            "markPrice": self.price["BTC"],
            "indexPrice": self.price["BTC"],
            "estimatedSettlePrice": self.price["BTC"],
            "lastFundingRate": "0.00038246",
            "interestRate": "0.00010000",
            "nextFundingTime": self.now_ms + 8 * HOUR_MS,
            "time": self.now_ms,
        }

    def _binance_ticker(self, query: dict[str, str]) -> Any:
        return {
            "symbol": "BTCUSDT",
            "lastPrice": "999999.00",
            "openPrice": "59000.00",
            "highPrice": "999999.00",
            "lowPrice": "58000.00",
            "volume": "120588.225",
            "quoteVolume": "7238709237.22",
            "openTime": self.now_ms - 24 * HOUR_MS,
            "closeTime": self.now_ms,
            "count": 188700,
        }

    def _binance_interest(self, query: dict[str, str]) -> Any:
        return {"symbol": "BTCUSDT", "openInterest": "81234.567", "time": self.now_ms}

    def _binance_depth(self, query: dict[str, str]) -> Any:
        return {
            "lastUpdateId": 1027024,
            "E": self.now_ms,
            "T": self.now_ms,
            "bids": [["60000.00", "1.500"], ["59990.00", "2.000"]],
            "asks": [["60001.00", "0.500"], ["60012.00", "3.000"]],
        }

    def _binance_klines(self, query: dict[str, str]) -> Any:
        return [
            [t, *_bar(t), "0", t + HOUR_MS - 1, "0", 0, "0", "0", "0"]
            for t in _page(query["startTime"], query["limit"], self.now_ms)
        ]

    def _binance_trades(self, query: dict[str, str]) -> Any:
        return [
            [t, *_bar(t), f"{1000 + t // HOUR_MS % 24}.5", t + HOUR_MS - 1, "0", 9, "0", "0", "0"]
            for t in _page(query["startTime"], query["limit"], self.now_ms)
        ]

    # OKX: https://www.okx.com/docs-v5/en/

    def _okx(self, *data: Any) -> Any:
        return {"code": "0", "msg": "", "data": list(data)}

    def _okx_markets(self, query: dict[str, str]) -> Any:
        return self._okx(
            {
                "alias": "",
                "baseCcy": "",
                "category": "1",
                "ctMult": "1",
                "ctType": "linear",
                "ctVal": "0.01",
                "ctValCcy": "BTC",
                "expTime": "",
                "instFamily": "BTC-USDT",
                "instId": "BTC-USDT-SWAP",
                "instType": "SWAP",
                "lever": "100",
                "listTime": "1573557408000",
                "lotSz": "0.01",
                "minSz": "0.01",
                "optType": "",
                "quoteCcy": "",
                "ruleType": "normal",
                "settleCcy": "USDT",
                "state": "live",
                "stk": "",
                "tickSz": "0.1",
                "uly": "BTC-USDT",
            }
        )

    def _okx_mark(self, query: dict[str, str]) -> Any:
        said = {"instId": "BTC-USDT-SWAP", "instType": "SWAP", "markPx": self.price["BTC"]}
        return self._okx({**said, "ts": str(self.now_ms)})

    def _okx_funding(self, query: dict[str, str]) -> Any:
        return self._okx(
            {
                "formulaType": "withRate",
                "fundingRate": "-0.00027815",
                "fundingTime": str(self.now_ms + HOUR_MS),
                "instId": "BTC-USDT-SWAP",
                "instType": "SWAP",
                "method": "current_period",
                "nextFundingRate": "",
                "nextFundingTime": str(self.now_ms + 9 * HOUR_MS),
                "premium": "0.0001233824646391",
                "settState": "settled",
                "ts": str(self.now_ms),
            }
        )

    def _okx_interest(self, query: dict[str, str]) -> Any:
        return self._okx(
            {
                "instId": "BTC-USDT-SWAP",
                "instType": "SWAP",
                "oi": "2125419",
                "oiCcy": "21254.19",
                "oiUsd": "1275251400",
                "ts": str(self.now_ms),
            }
        )

    def _okx_book(self, query: dict[str, str]) -> Any:
        return self._okx(
            {
                "asks": [["60001", "50", "0", "2"], ["60012", "300", "0", "9"]],
                "bids": [["60000", "150", "0", "1"], ["59990", "200", "0", "2"]],
                "ts": str(self.now_ms),
                "seqId": 3235851742,
            }
        )

    def _okx_candles(self, query: dict[str, str]) -> Any:
        # Newest first; `before` and `after` exclude their own time.
        first = int(query["before"]) + 1
        first = -(-first // HOUR_MS) * HOUR_MS
        end = min(int(query.get("after", self.now_ms)), self.now_ms)
        times = range(first, end, HOUR_MS)[: int(query["limit"])]
        rows = [[str(t), *_bar(t), "1"] for t in times]
        return self._okx(*reversed(rows))

    # Bybit: https://bybit-exchange.github.io/docs/v5/

    def _bybit(self, result: Any) -> Any:
        envelope = {"retCode": 0, "retMsg": "OK", "retExtInfo": {}, "time": self.now_ms}
        return {**envelope, "result": result}

    def _bybit_markets(self, query: dict[str, str]) -> Any:
        market = {
            "symbol": "BTCUSDT",
            "contractType": "LinearPerpetual",
            "status": "Trading",
            "baseCoin": "BTC",
            "quoteCoin": "USDT",
            "launchTime": "1585526400000",
            "deliveryTime": "0",
            "deliveryFeeRate": "",
            "priceScale": "2",
            "leverageFilter": {
                "minLeverage": "1",
                "maxLeverage": "100.00",
                "leverageStep": "0.01",
            },
            "priceFilter": {"minPrice": "0.10", "maxPrice": "1999999.80", "tickSize": "0.10"},
            "lotSizeFilter": {
                "maxOrderQty": "1190.000",
                "minOrderQty": "0.001",
                "qtyStep": "0.001",
                "postOnlyMaxOrderQty": "1190.000",
            },
            "unifiedMarginTrade": True,
            "fundingInterval": 480,
            "settleCoin": "USDT",
            "copyTrading": "both",
        }
        rows = [] if query.get("status") == "PreLaunch" else [market]
        return self._bybit({"category": "linear", "list": rows, "nextPageCursor": ""})

    def _bybit_tickers(self, query: dict[str, str]) -> Any:
        ticker = {
            "symbol": "BTCUSDT",
            "lastPrice": "999999.00",
            "indexPrice": self.price["BTC"],
            "markPrice": self.price["BTC"],
            "prevPrice24h": "59000.00",
            "price24hPcnt": "0.008047",
            "highPrice24h": "61000.00",
            "lowPrice24h": "58000.00",
            "prevPrice1h": "59995.50",
            "openInterest": "48069.549",
            "openInterestValue": "2884172940.00",
            "turnover24h": "4686694853.047006",
            "volume24h": "243730.252",
            "fundingRate": "0.0001",
            "nextFundingTime": str(self.now_ms + 8 * HOUR_MS),
            "predictedDeliveryPrice": "",
            "basisRate": "",
            "deliveryFeeRate": "",
            "deliveryTime": "0",
            "ask1Size": "1",
            "bid1Price": "60000.00",
            "ask1Price": "60001.00",
            "bid1Size": "1",
        }
        return self._bybit({"category": "linear", "list": [ticker]})

    def _bybit_interest(self, query: dict[str, str]) -> Any:
        rows = [{"openInterest": "48069.54900000", "timestamp": str(self.now_ms)}]
        said = {"symbol": "BTCUSDT", "category": "linear", "list": rows, "nextPageCursor": ""}
        return self._bybit(said)

    def _bybit_book(self, query: dict[str, str]) -> Any:
        return self._bybit(
            {
                "s": "BTCUSDT",
                "b": [["60000.00", "1.5"], ["59990.00", "2"]],
                "a": [["60001.00", "0.5"], ["60012.00", "3"]],
                "ts": self.now_ms,
                "u": 18521288,
                "seq": 7961638724,
                "cts": self.now_ms,
            }
        )

    def _bybit_kline(self, query: dict[str, str]) -> Any:
        times = _page(query["start"], query["limit"], self.now_ms)
        rows = [[str(t), *_bar(t)] for t in reversed(times)]
        return self._bybit({"symbol": "BTCUSDT", "category": "linear", "list": rows})

    # Kraken Futures: https://docs.kraken.com/api/docs/futures-api/. Prices are JSON numbers.

    def _kraken_markets(self, query: dict[str, str]) -> Any:
        market = {
            "symbol": "PF_XBTUSD",
            "type": "flexible_futures_vanilla",
            "pair": "XBT:USD",
            "base": "XBT",
            "quote": "USD",
            "tickSize": 1,
            "contractSize": 1,
            "tradeable": True,
            "impactMidSize": 1,
            "maxPositionSize": 1000000,
            "openingDate": "2022-03-22T15:07:00.000Z",
            "marginLevels": [
                {"numNonContractUnits": 0, "initialMargin": 0.02, "maintenanceMargin": 0.01}
            ],
            "fundingRateCoefficient": 8,
            "maxRelativeFundingRate": 0.005,
            "contractValueTradePrecision": 4,
            "postOnly": False,
            "category": "Layer 1",
            "tags": [],
        }
        return {"result": "success", "instruments": [market], "serverTime": self._iso()}

    def _kraken_row(self) -> Any:
        return {
            "symbol": "PF_XBTUSD",
            "last": 999999,
            "lastTime": "2020-01-01T00:00:00.000Z",
            "tag": "perpetual",
            "pair": "XBT:USD",
            "markPrice": _number(self.price["BTC"]),
            "bid": 60000,
            "bidSize": 1.5,
            "ask": 60001,
            "askSize": 0.5,
            "vol24h": 8309.2546,
            "volumeQuote": 498555276.0,
            "openInterest": 1950.5966,
            "open24h": 59000,
            "lastSize": 0.0114,
            "fundingRate": 0.6,
            "fundingRatePrediction": 0.3,
            "suspended": False,
            "indexPrice": _number(self.price["BTC"]),
            "postOnly": False,
        }

    def _kraken_ticker(self, query: dict[str, str]) -> Any:
        return {"result": "success", "ticker": self._kraken_row(), "serverTime": self._iso()}

    def _kraken_tickers(self, query: dict[str, str]) -> Any:
        return {"result": "success", "tickers": [self._kraken_row()], "serverTime": self._iso()}

    def _kraken_book(self, query: dict[str, str]) -> Any:
        book = {"bids": [[60000, 1.5], [59990, 2]], "asks": [[60001, 0.5], [60012, 3]]}
        return {"result": "success", "serverTime": self._iso(), "orderBook": book}

    def _kraken_candles(self, query: dict[str, str]) -> Any:
        names = ("open", "high", "low", "close")
        rows = [
            {"time": t * 1000, **dict(zip(names, _bar(t * 1000), strict=True)), "volume": 0}
            for t in range(int(query["from"]), int(query["to"]) + 1, 3600)
        ]
        return {"candles": rows, "more_candles": False}

    # Deribit: https://docs.deribit.com/

    def _deribit_summaries(self, query: dict[str, str]) -> Any:
        rows = [
            _summary(name, self.now_ms)
            for name in ("BTC-27MAR37-50000-P", "BTC-27MAR37-60000-C", "BTC-26JUN37-60000-C")
        ]
        return {
            "jsonrpc": "2.0",
            "result": rows,
            "usIn": self.now_ms * 1000,
            "usOut": self.now_ms * 1000 + 517,
            "usDiff": 517,
            "testnet": False,
        }

    def _iso(self) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(self.now_ms // 1000)) + ".123Z"


class Fault:
    """An answer that is not one.

    Attributes:
        status: of the HTTP answer.
        body: instead of the right one, as it goes over the wire.
        edit: changes the right answer.
        delay: [s] before the answer.
        drip: [s] between the bytes of the body.
        times: the right answer comes after so many faults.
    """

    def __init__(
        self,
        status: int = 200,
        body: str | None = None,
        edit: Callable[[Any], Any] | None = None,
        delay: float = 0.0,
        drip: float = 0.0,
        times: int = 10**6,
    ) -> None:
        self.status = status
        self.body = body
        self.edit = edit
        self.delay = delay
        self.drip = drip
        self.times = times


def _handler(server: ExchangeServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            address = urlsplit(self.path)
            path = address.path
            server.asked[path] += 1
            fault = server.faults.get(path) if server.asked[path] <= _limit(server, path) else None
            route = server.routes.get(path)
            if route is None:
                self._send(404, json.dumps({"error": path}), 0.0)
                return
            answer = route(dict(parse_qsl(address.query)))
            if fault is None:
                self._send(200, json.dumps(answer), 0.0)
                return
            time.sleep(fault.delay)
            edited = json.dumps(fault.edit(answer) if fault.edit else answer)
            self._send(fault.status, edited if fault.body is None else fault.body, fault.drip)

        def _send(self, status: int, body: str, drip: float) -> None:
            data = body.encode()
            kind = "text/html" if body.startswith("<") else "application/json"
            try:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if not drip:
                    self.wfile.write(data)
                    return
                for byte in data:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    time.sleep(drip)
            except OSError:
                self.close_connection = True  # the client gave up first

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


def _limit(server: ExchangeServer, path: str) -> int:
    fault = server.faults.get(path)
    return fault.times if fault is not None else 0


def _bar(t: int) -> list[str]:
    """Open, high, low and close of the bar that opens at `t` ms: never twice the same."""
    close = 50_000 + t // HOUR_MS % 10_000
    return [f"{close}.5", f"{close + 10}.25", f"{close - 10}.125", f"{close}.0"]


def _page(start: str, limit: str, now_ms: int) -> list[int]:
    first = -(-int(start) // HOUR_MS) * HOUR_MS
    return list(range(first, now_ms, HOUR_MS))[: int(limit)]


def _number(text: str) -> Any:
    """As a JSON number; what is none goes out as JSON text or as JavaScript's NaN."""
    try:
        return float(text)
    except ValueError:
        return text


def _summary(name: str, now_ms: int) -> dict[str, Any]:
    return {
        "volume": 27.1,
        "underlying_price": 61234.5,
        "underlying_index": name.rsplit("-", 2)[0],
        "quote_currency": "BTC",
        "price_change": -1.63,
        "open_interest": 412.7,
        "mark_price": 0.0523,
        "mark_iv": 61.25,
        "low": 0.05,
        "last": 0.052,
        "interest_rate": 0.0,
        "instrument_name": name,
        "high": 0.054,
        "estimated_delivery_price": 60012.34,
        "creation_timestamp": now_ms,
        "bid_price": 0.0515,
        "base_currency": "BTC",
        "ask_price": None if name.endswith("P") else 0.0535,
        "mid_price": 0.0525,
        "volume_usd": 1412345.6,
    }
