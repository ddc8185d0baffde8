"""The gateway: connections of the Centrifuge client protocol, on a Policy (who may what) and a Log (what was said).

Pure: protocol, fields, meaning, codec_json, codec_protobuf, effects, budget, connection, recovery. One connection: endpoint
(handshake, reading), driver, calls, subscribing, outbox, transport. All of them together: channels, hub, reads, tops, watch.
Put together in gateway.
"""
