"""Warmline's server: a real-time messaging server for clinics.

One sentence holds it together: the Postgres log is the truth, Redis is only the doorbell, planners are pure, one place
applies. Modules stand in rows and import only downwards; the import contracts in pyproject.toml enforce this list.

    0  errors ids config config_checks; above them faults, tallies, logs, metrics, limits, ending, watching, watchdog, pace,
       parameters, gathering
    1  bus board crypto schema; db above crypto; bus and board above line above cluster; migrations above schema     0
    2  events audit locks refusals sealing jobs   0–1, never each other
    3  people                                0–2
    4  chat                                  0–3
    5  notices roster                        0–4, never each other
    7  operations, above it sending, dispatching                      0–5
    8  api                                   0–7
    8  gateway                               0–1 and its own ports: it knows no domain
    8  readiness, then health, inspection    0–1
    9  app                                   all of server
       cli, dev                              on top of it; workers stand beside and import 0–5

Pure modules (plain values in, plain values out; every branch tested): gateway.codes, gateway.protocol, gateway.fields,
gateway.handshake, gateway.meaning, gateway.codec_json, gateway.codec_protobuf,
gateway.effects, gateway.budget, gateway.lapses, gateway.interests,
gateway.connection, gateway.recovery, chat.policy, chat.participation,
chat.activation_plan, people.naming, notices.endpoints, notices.quiet, roster.policy, roster.channel_sync, limits,
sealing.chain, sealing.heads, sealing.verifying,
notices.addresses, notices.answering, notices.breaker, notices.payload, notices.rules.
"""
