"""`rsw`: every verb of the workbench under one name, each imported only when called."""

from __future__ import annotations

import importlib

import click

VERBS = {
    "infer": ("rs_workbench.infer", "map scenes of any size"),
    "chips": ("rs_workbench.chips", "write the chips that a training run learns from"),
    "train": ("rs_workbench.train", "train a network on labelled scenes"),
    "ablate": ("rs_workbench.ablate", "train every combination of what is varied, and compare"),
    "assess": ("rs_workbench.assess", "say how good a map is, or draw a sample to find out"),
    "card": ("rs_workbench.card_command", "show, write or check the card of a model"),
    "doctor": ("rs_workbench.doctor", "say what is installed, what works, and how to mend it"),
    "sample": ("rs_workbench.sample_scene", "write a sample scene"),
    "samples": ("rs_workbench.samples_command", "list, fetch, check or draw sample data"),
}


class _Verbs(click.Group):
    """A group that imports a verb's module only when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        command: click.Command = importlib.import_module(VERBS[name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(name, about) for name, (_, about) in VERBS.items()])


@click.command(cls=_Verbs)
@click.version_option(package_name="rs-workbench")
def main() -> None:
    """Map scenes of any size with Keras and PyTorch segmentation models."""


if __name__ == "__main__":
    main()
