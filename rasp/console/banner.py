"""What a console says at its start."""

FIRST_EXAMPLE = "hello"
BANNER = f"RASP 0.1\nrunning example is: {FIRST_EXAMPLE}"
