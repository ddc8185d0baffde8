"""The gateway: connections of the Centrifuge client protocol, on a Policy (who may what) and a Log (what was said).

Pure: codes, protocol, fields, meaning, codec_json, codec_protobuf, effects, budget, lapses, interests, connection, recovery.
One connection: endpoint (handshake, reading), driver, calls, questions, subscribing, outbox, transport. All of them together:
channels, hub, reads, tops, watch, presence. Put together in gateway.
"""
