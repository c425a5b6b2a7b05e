"""The crisis replay: many accounts, one price path, the real contracts; beside it a ranked queue.

`inputs` reads what is replayed and `listing` makes a market for it; `chain` sends many transactions
at once; `opening` brings the accounts on the chain, `ladder` takes them through it, `mirror` knows
what each is worth and what deleveragings took from it; `solvency` closes the books. `queues` lives
through the same path off the chain; `outcome`, `charts`, `page` and `table` tell. `run` is all.
"""
