"""``python -m minhu``: the command line."""

from minhu.cli import main

main()
