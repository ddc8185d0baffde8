"""Benchmarks: what the server does per second on this machine, beside a reference measured in the same run.

`python -m benchmarks` (or `make bench`) starts everything it needs on loopback, and stops it again. Method, figures and
what limits them: README.md. Shape, top row first; each imports only downwards:

    __main__                the command
    fan_out, rooms, stalled, idle, herd, growth, sends, steady    the benchmarks
    reference               the contestant that most of them are measured against
    handover, arrivals      commands of their own: what the rules of issue 5 promise, beside a worker
    ledger                  databases with little and much in them, and the operations on each
    stack, clinic, bulk, script   a gateway with all it stands on; who is in it; what the connections say
    rounds, table           the turns that the contestants take; the figures
    clients                 the processes that make the load
    machine                 cores, pinning, processor time
    load, paced, single     programs of their own: the load client where there is no C compiler, and that of an open stream;
                            asyncpg alone
    flock, probed           and: clients that come back as SDKs do; a gateway that tells what its tops check takes
    native/                 programs in C: the load client, and the reference "C send()"
"""
