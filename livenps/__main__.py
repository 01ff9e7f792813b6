import sys

from livenps.cli import main

sys.exit(main())
