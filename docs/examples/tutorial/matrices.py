"""Two matrices of 6-bit integers, and a check of their product."""

import sys

import numpy as np

if sys.argv[1] == "make":
    rng = np.random.default_rng(0)
    np.save("A.npy", rng.integers(-32, 32, (20, 50)))
    np.save("B.npy", rng.integers(-32, 32, (50, 12)))
else:
    A, B, C = (np.load(f"{name}.npy") for name in "ABC")
    assert (C == A @ B).all()
    print("equal")
