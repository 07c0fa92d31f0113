"""`python -m tensoria`, for an environment whose scripts are not on the PATH."""

import sys

from tensoria.cli import main

if __name__ == "__main__":
    sys.exit(main())
