"""`python -m server` is `warmline serve`; with a command behind it, it is that command."""

import sys

from server.cli import main

sys.exit(main(sys.argv[1:] or ["serve"]))
