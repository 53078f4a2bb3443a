"""Stands before pandas on the path of a packtrain that is measured.

pandas comes with the packages for development alone, and pyarrow imports it in every process that finds it: 50 MiB
each that `pip install packtrain[prepare]` does not bring.
"""

raise ImportError("pandas is left out here")
