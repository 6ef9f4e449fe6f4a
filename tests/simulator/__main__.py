"""`make replay SEED=17` runs this."""

import sys

from tests.simulator.replay import main

sys.exit(main())
