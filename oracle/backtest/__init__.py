"""Walk-forward backtest of margin rates: the models, and the rates as pushed on-chain.

data       markets and their bars out of any folder
target     what the keeper asks for: the champion's path-wise quantile, tempered
votes      calm and storm rates voted from the past alone
chain      the pushes: severity solved, steps, clocks, brackets; integers as the contracts'
challengers  other models of the same loss
statistics   coverage tests and scores
figures    cost, jumpiness and shortfall of a margin
cells      one (market, horizon, level): everything above put together
run        all cells, on all cores or a cluster
report     goals, JSON, tables
page       the same for a reader, with pictures
"""
