"""The bit-exact integer twin of the contracts' arithmetic.

Plain Python integers only: what a function here returns, the contracts return, to the wei. Each
module names the formula of ``FORMULAS.md`` it follows. `protocol.Protocol` puts the formulas
together into a whole-protocol reference model with the contracts' verbs.
"""
