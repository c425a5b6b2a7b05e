"""``python -m oracle.backtest``."""

from oracle.backtest.main import backtest

if __name__ == "__main__":
    backtest(prog_name="python -m oracle.backtest")
