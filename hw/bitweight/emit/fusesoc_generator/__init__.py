"""A FuseSoC generator: other cores ask it for designs.

``python -m bitweight.emit.fusesoc_generator`` prints this folder, to be given to FuseSoC as a
library::

    fusesoc --cores-root "$(python -m bitweight.emit.fusesoc_generator)" --cores-root . run ...

A core file of one's own then asks for a design by the parameters of
:meth:`bitweight.Design.from_dict`, or by ``catalog``, a name of the catalog whose parameters the
others change::

    filesets:
      rtl: {depend: [bitweight:tpe:generator]}
    generate:
      array:
        generator: bitweight
        parameters: {array: systolic-os, rows: 4, cols: 4, mac: opt1, name: array, wrap: axis}
    targets:
      default: {filesets: [rtl], generate: [array]}

FuseSoC keeps what the generator made by these parameters (``cache_type: input``): after another
version of bitweight was installed, ``fusesoc gen clean`` makes it forget.
"""
