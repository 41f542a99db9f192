"""The main job: real images on simulated engines, and what the engines cost.

``python -m bitweight.demo`` runs it. :func:`bitweight.demo.job.run` is the same as a function;
nothing is imported here, since it needs the extras ``sim``, ``synth`` and ``demo``.
"""
