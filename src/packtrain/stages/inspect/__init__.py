"""inspect: whether a site's hosts are what the training needs and what was promised. Writes inspection.json.

It is no stage that others wait for: who trains without a sheet is told so, and nothing more. A run that is killed
leaves no sheet, and a later one takes the place of an earlier.
"""

from packtrain.stages.inspect.run import STAGE, BoundMapper, Wanted, World, inspect, preview

__all__ = ["STAGE", "BoundMapper", "Wanted", "World", "inspect", "preview"]
