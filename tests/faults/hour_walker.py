"""The demo's walker as it is, with four steps in a second instead of fifty: twenty of them must leave room for others.

python hour_walker.py ENROLMENT --latch FILE
"""

from components.kit import main
from demo import walker

STEP_S = 0.25

if __name__ == "__main__":
    walker.STEP_S = STEP_S
    main(walker.walker)
