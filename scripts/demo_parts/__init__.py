"""The demo: a recorded crash, replayed through the real contracts on a local chain.

`plan`, `cast` and `incident` decide, before anything runs, who trades and what happens; `desk`,
`traders` and `bots` act on the chain; `recorder` listens, `books` counts; `outcome`, `charts` and
`page` tell. `replay` holds the actors together, `run` everything.
"""
