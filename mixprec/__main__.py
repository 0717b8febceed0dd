"""`python -m mixprec` is the command line `mixprec`."""

import sys

from .cli import main

sys.exit(main())
