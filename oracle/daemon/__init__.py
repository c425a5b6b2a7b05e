"""The keeper: `python -m oracle run`. M of N signers agree, one sender brings it to the chain.

config    what it is started with                  keys      keystores, and the keys everybody knows
sources   where prices and numbers come from       guards    what a price must look like
live      exchanges as sources                     bars      their bars, recorded as they come
live_config  the section [feeds]                   fields    kinds of settings
node      one or several nodes that must agree     view      what the engine says, in one question
signer    one signer: quotes, asks, co-signs       remote    a signer in another process
panel     M of N collected into one message        messages  calldata of reports and pushes
journal   what was sent, surviving a kill          outbox    nonces, fees, replacement, cancelling
relay     a private way in, tried before the node
trial     messages tried before they are sent
pushes    a push that is accepted, its report     observer  what is seen, into metrics
saying    what is wrong, said once
keeper    one round                                service   a keeper put together
running   rounds until stopped, watched            fees      what may be paid, how long waited
replay    a recorded day on a local node           rebuild   a journal begun from the chain
alarms    exit codes and levels                    metrics, logs, status, lease
"""
