"""Print docs/faults.md: `python -m tests.faults > docs/faults.md`."""

import sys

from tests.faults.page import page

if __name__ == "__main__":
    sys.stdout.write(page())
