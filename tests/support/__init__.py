"""What tests share: servers, the cast, the wire, the faults."""
