"""Make the packages that RSW_ABSENT names look uninstalled, in this process and its children.

With this folder on PYTHONPATH, `RSW_ABSENT=torch,timm` stands for an environment without them, so
that one environment serves to test each framework without the other.
"""

import importlib.machinery
import importlib.metadata
import os

ABSENT = frozenset(filter(None, os.environ.get("RSW_ABSENT", "").split(",")))


def _hide_modules() -> None:
    find_spec = importlib.machinery.PathFinder.find_spec

    @classmethod
    def find_present(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in ABSENT else find_spec(name, path, target)

    importlib.machinery.PathFinder.find_spec = find_present


def _hide_distributions() -> None:
    finder = importlib.metadata.MetadataPathFinder
    find_all = finder.find_distributions

    def find_present(*context):
        name = context[0].name if context else None
        hidden = name is not None and name.replace("-", "_").lower() in ABSENT
        return iter(()) if hidden else find_all(*context)

    finder.find_distributions = find_present


if ABSENT:
    _hide_modules()
    _hide_distributions()
