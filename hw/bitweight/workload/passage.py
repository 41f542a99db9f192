"""A text of 128 tokens, so that the first layer of a trained encoder sees real activations.

The opening of Lewis Carroll's "Alice's Adventures in Wonderland" (1865), up to "a White Rabbit
with pink", in the vocabulary of BERT's uncased English models, which the encoder has. The numbers
are kept here since the vocabulary is not part of the model's file.
"""

from __future__ import annotations

__all__ = ["TITLE", "TOKENS"]

TITLE = "the opening of Alice's Adventures in Wonderland"

# fmt: off
TOKENS = (
    101, 5650, 2001, 2927, 2000, 2131, 2200, 5458, 1997, 3564, 2011, 2014, 2905, 2006, 1996, 2924,
    1010, 1998, 1997, 2383, 2498, 2000, 2079, 1024, 2320, 2030, 3807, 2016, 2018, 21392, 5669,
    2046, 1996, 2338, 2014, 2905, 2001, 3752, 1010, 2021, 2009, 2018, 2053, 4620, 2030, 11450,
    1999, 2009, 1010, 1000, 1998, 2054, 2003, 1996, 2224, 1997, 1037, 2338, 1010, 1000, 2245, 5650,
    1000, 2302, 4620, 2030, 11450, 1029, 1000, 2061, 2016, 2001, 6195, 1999, 2014, 2219, 2568,
    1006, 2004, 2092, 2004, 2016, 2071, 1010, 2005, 1996, 2980, 2154, 2081, 2014, 2514, 2200,
    17056, 1998, 5236, 1007, 1010, 3251, 1996, 5165, 1997, 2437, 1037, 10409, 1011, 4677, 2052,
    2022, 4276, 1996, 4390, 1997, 2893, 2039, 1998, 8130, 1996, 18765, 14625, 1010, 2043, 3402,
    1037, 2317, 10442, 2007, 5061, 102,
)
# fmt: on
