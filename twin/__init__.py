"""3D city digital twin: terrain, buildings, proposals, sun and sight studies.

Import from the defining modules, for example ``from twin.frame import Frame``.
"""

__version__ = "0.1.0"
