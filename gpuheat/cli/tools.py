"""``gpuheat backends`` and ``gpuheat demo``."""

from __future__ import annotations

import os

import click

from gpuheat.cli.options import debug_option, report, start_log
from gpuheat.errors import GpuheatError

__all__ = ["backends", "demo"]


@click.command()
@debug_option
def backends() -> None:
    """What can run here, and what cannot and why."""
    from gpuheat.backends import available_backends, get_backend
    from gpuheat.terminal import show_backends, show_gpus

    statuses = available_backends()
    try:
        default = get_backend()
    except GpuheatError:
        show_backends(statuses, None)
        show_gpus()
        raise
    show_backends(statuses, default)
    show_gpus()


@click.command()
@click.option(
    "-o", "--output", default="gpuheat-demo", show_default=True, metavar="DIR", help="Folder for the results."
)
@click.option("-q", "--quiet", is_flag=True, help="Say nothing unless something is wrong.")
@debug_option
def demo(output: str, quiet: bool) -> None:
    """Make a clip and an eye-tracking export, and a heat map of each."""
    start_log(quiet=quiet)
    from gpuheat.jobs.demo import run_demo

    pages = []
    for headline, folder in run_demo(output):
        report(headline, [], folder, quiet=quiet)
        pages.append(os.path.join(folder, "report.html"))
    if not quiet:
        click.echo(f"To look around, open {' and '.join(pages)} in a browser.")
