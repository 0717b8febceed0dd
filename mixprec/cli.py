"""The command `mixprec`: `info` says what is installed, `demo` trains in three precisions."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from . import _version

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command with these arguments (None: the process's); returns the exit status."""
    options = _parser().parse_args(argv)
    try:
        status = int(options.run(options))
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # whoever read the output has gone: nothing to say, nor to whom
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        print(f"mixprec {options.command}: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mixprec", description="Mixed-precision arrays and training."
    )
    parser.add_argument("--version", action="version", version=f"mixprec {_version.find()}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")

    info = commands.add_parser(
        "info", help="versions, CPU tier, threads, dtypes, what was built and found"
    )
    info.add_argument("--json", action="store_true", help="print JSON")
    info.set_defaults(run=_info)

    demo = commands.add_parser(
        "demo", help="train a digit classifier in float32, bfloat16 and float16 and compare"
    )
    demo.add_argument("--json", metavar="FILE", help="also write the results to FILE")
    demo.add_argument(
        "--steps", type=_positive, default=600, help="steps of each run (%(default)s)"
    )
    demo.add_argument("--device", default="cpu", help="where to train (%(default)s)")
    demo.add_argument(
        "--plot", metavar="FILE", default="mixprec-demo.png", help="the figure's file (%(default)s)"
    )
    demo.set_defaults(run=_demo)
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 on")
    return int(text)


def _info(options: argparse.Namespace) -> int:
    from . import _info as info

    found = info.collect()
    print(json.dumps(found, indent=2) if options.json else info.render(found))
    return 0


def _demo(options: argparse.Namespace) -> int:
    from . import demo

    for path in filter(None, (options.plot, options.json)):
        if not Path(path).absolute().parent.is_dir():
            raise FileNotFoundError(f"there is no folder for {path}")
    result = demo.run(steps=options.steps, device=options.device)
    print(demo.render(result))
    demo.plot(result, options.plot)
    print(f"\nloss curves and loss scale: {options.plot}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(result, file, indent=2)
        print(f"results: {options.json}")
    return 0
