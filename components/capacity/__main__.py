"""`python -m components.capacity ENROLMENT` runs it. So does `tocsin component run` with the file capacity.py."""

from components.capacity.capacity import capacity
from components.kit import main

if __name__ == "__main__":
    main(capacity)
