"""What every command does the same way: connect, choose an account, fail in one sentence."""

from __future__ import annotations

import functools
import re
import shutil
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import ape
import click
from ape.exceptions import ApeException
from ape.logging import LogLevel, logger
from rich.console import Console

from scripts.support.deployed import chain_id
from scripts.support.dev_keys import LOCAL_CHAIN
from scripts.support.errors import ScriptError

LOCAL_NETWORK: Final = "ethereum:local:foundry"  # an Anvil of its own, which ends with the command
TRACES: Final = Path("build/error.log")
Command = TypeVar("Command", bound=Callable[..., Any])

console = Console(highlight=False, soft_wrap=True)

network_option = click.option(
    "--network",
    default=LOCAL_NETWORK,
    metavar="NETWORK",
    show_default="an Anvil of its own that ends with the command",
    help="URL of a node (http://127.0.0.1:8545), or Ape's ecosystem:network:provider.",
)
account_option = click.option(
    "--account",
    "alias",
    metavar="ALIAS",
    help="Ape account that signs (`ape accounts list`). On the local chain: dev:N, account N of"
    " the mnemonic everybody knows.",
)


def in_one_sentence(command: Command) -> Command:
    """No traceback for what people do wrong; a fault of ours is kept in a file."""

    @functools.wraps(command)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except ScriptError as error:
            raise click.ClickException(str(error)) from None
        except ApeException as error:
            raise click.ClickException(sentence_of(error)) from None
        except (click.exceptions.Exit, click.ClickException, click.Abort, KeyboardInterrupt):
            raise
        except Exception as error:
            TRACES.parent.mkdir(parents=True, exist_ok=True)
            TRACES.write_text(traceback.format_exc())
            raise click.ClickException(
                f"This is a fault of the script ({type(error).__name__}); details are in {TRACES}."
            ) from None

    return wrapper  # type: ignore[return-value]


def sentence_of(error: Exception) -> str:
    """The first line of what a library says, as a sentence."""
    line = next(iter(str(error).splitlines()), "") or type(error).__name__
    return line if line.endswith((".", "?", "!")) else line + "."


# --- chain -----------------------------------------------------------------------------------


@contextmanager
def connected(network: str) -> Iterator[Any]:
    """A provider of the network; says in one sentence why there is none."""
    logger.set_level(LogLevel.WARNING)
    if network.endswith("foundry") and shutil.which("anvil") is None:
        raise ScriptError("anvil is not on PATH: run `make install`, then use `make` or .venv/bin.")
    with ExitStack() as stack:
        try:
            provider = stack.enter_context(ape.networks.parse_network_choice(plain_url(network)))
        except ApeException as error:
            raise ScriptError(f"Cannot connect to {network}: {sentence_of(error)}") from None
        except OSError as error:
            raise ScriptError(f"Cannot connect to {network}: {error.strerror or error}.") from None
        yield provider


def plain_url(network: str) -> str:
    """`ethereum:local:http://...` as the URL: Ape would take its chain id to be 1337."""
    return re.sub(r"^[\w-]+:local:(?=(https?|wss?)://)", "", network)


def is_local() -> bool:
    return chain_id() == LOCAL_CHAIN


# --- accounts --------------------------------------------------------------------------------


def choose_account(alias: str | None, default: int) -> Any:
    """The Ape account of that name; on the local chain account `default` of the dev mnemonic."""
    if alias is None and not is_local():
        raise ScriptError("Name the account that signs: --account ALIAS.")
    if alias is None:
        alias = f"dev:{default}"
    if alias.startswith("dev:"):
        return dev_account(alias)
    try:
        return ape.accounts.load(alias)
    except (KeyError, IndexError, ApeException):
        raise ScriptError(f"There is no account {alias!r}: see `ape accounts list`.") from None


def dev_account(alias: str) -> Any:
    if not is_local():
        raise ScriptError(
            f"{alias} is a well-known development account, which must not be used off the local"
            f" chain ({LOCAL_CHAIN})."
        )
    if not alias[4:].isdigit() or int(alias[4:]) >= len(ape.accounts.test_accounts):
        last = len(ape.accounts.test_accounts) - 1
        raise ScriptError(f"{alias} is not one of dev:0 to dev:{last}.")
    return ape.accounts.test_accounts[int(alias[4:])]
