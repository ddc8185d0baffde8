"""What runs on a developer's own machine only: embedded servers, the supervisor of `warmline dev`, the demo clinic."""
