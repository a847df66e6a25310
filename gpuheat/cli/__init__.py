"""The command line: parse, call, write."""

from __future__ import annotations

import signal
import sys
import traceback
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from gpuheat.cli.compare import compare
from gpuheat.cli.fixations import fixations
from gpuheat.cli.motion import motion
from gpuheat.cli.options import debug_option
from gpuheat.cli.tools import backends, demo
from gpuheat.errors import (
    BackendUnavailableError,
    GpuheatError,
    IncompleteBatchError,
    IncompleteError,
    InputError,
    OptionError,
)
from gpuheat.terminal import SignalError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

FAILED: Final = 1
WRONG_USE: Final = 2
INCOMPLETE: Final = 3
INTERRUPTED: Final = 130


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line; every error is one line on standard error.

    Exit code 0, 2 for wrong input or options, 3 where only a part of the input could be read, 130 after Ctrl-C, 143
    after SIGTERM, 1 for anything else. Live video that these end is 0: nothing else ends it.
    """
    given = sys.argv[1:] if arguments is None else [*arguments]
    state = {"debug": False, "arguments": given}
    signal.signal(signal.SIGTERM, _terminate)
    try:
        code = cli.main(args=given or ["--help"], prog_name="gpuheat", standalone_mode=False, obj=state)
        sys.exit(code if isinstance(code, int) else 0)
    except click.ClickException as error:
        _fail(error.format_message(), WRONG_USE, state)
    except (IncompleteError, IncompleteBatchError) as error:
        _fail(str(error), INCOMPLETE, state)
    except (InputError, OptionError, BackendUnavailableError) as error:
        _fail(str(error), WRONG_USE, state)
    except SignalError as error:
        _fail(str(error), error.exit_code, state)
    except click.Abort:
        _fail("interrupted", INTERRUPTED, state)
    except GpuheatError as error:
        _fail(str(error), FAILED, state)
    except Exception as error:  # noqa: BLE001  the last line of defence: no traceback unless asked for
        _fail(f"{type(error).__name__}: {error} (--debug shows where)", FAILED, state)


def _terminate(number: int, _frame: object) -> NoReturn:
    """Leave through every ``with`` block, so that nothing half-written stays behind."""
    sys.exit(128 + number)


def _fail(message: str, code: int, state: dict[str, Any]) -> NoReturn:
    from gpuheat.inputs.address import hide_secrets
    from gpuheat.terminal import printable

    if state["debug"]:
        click.echo(hide_secrets(traceback.format_exc(), state["arguments"]), err=True, nl=False)
    told = " ".join(hide_secrets(message, state["arguments"]).split())
    click.echo(printable(f"gpuheat: error: {told}"), err=True)
    sys.exit(code)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="gpuheat", message="gpuheat %(version)s")
@debug_option
def cli() -> None:
    """Exact heat maps: where things moved in a video, and where people looked on a picture."""


for command in (motion, fixations, compare, backends, demo):
    cli.add_command(command)
