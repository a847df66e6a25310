"""``python -m benchmarks``, ``python -m benchmarks gpu`` and ``python -m benchmarks video``."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from benchmarks import cpu
from benchmarks.gpu.command import gpu
from benchmarks.video.command import video


@click.group(invoke_without_command=True)
@click.option("--quick", is_flag=True, help="Smaller sizes and fewer runs: does it work, not how fast is it.")
@click.option("--json", "output", type=click.Path(dir_okay=False, path_type=Path), help="Write the rows here.")
@click.pass_context
def main(context: click.Context, quick: bool, output: Path | None) -> None:
    """Measure the operations of every backend that runs here beside their peers, checking every result first."""
    if context.invoked_subcommand is not None:
        if quick or output is not None:
            raise click.UsageError(f"options of '{context.invoked_subcommand}' come behind its name")
        return
    console = Console()
    if not console.is_terminal:
        console.width = 110  # a file or a pipe has no edge to fit into
    cpu.measure(console, quick=quick, output=output)


main.add_command(gpu)
main.add_command(video)

if __name__ == "__main__":
    main()
