"""The demo: a recorded crash, replayed through the real contracts on a local chain.

`plan`, `cast` and `incident` decide, before anything runs, who trades and what happens; `market`,
`traders`, `bots` act on the chain; `recorder` listens, `books` counts, `outcome`, `charts` and `page`
tell. `replay` holds them together.
"""
