"""Checkpoints: a file from which interrupted training goes on as if nothing had happened."""

import hashlib
import io
import logging
import warnings
from pathlib import Path
from typing import Any

import torch

from .._files import remove_stale, write_whole
from ._processes import agree, is_first, wait_for_all

logger = logging.getLogger(__name__)


class Checkpoint:
    """State of one fit in a file: phases of training that have ended, and the one that goes on.

    Parameters
    ----------
    path : Path
        The file; read if it is there. One that is damaged counts as none, with a warning. Processes
        that train together must all see the same file.

    Attributes
    ----------
    running : dict or None
        State of the training loop in the present phase.
    """

    def __init__(self, path: Path):
        self.path = path
        self.running: dict[str, Any] | None = None
        self._ended: list[dict[str, Any]] = []
        self._n_passed = 0
        found = b""
        try:
            digest, content = path.read_bytes().split(b"\n", 1)
            if hashlib.sha256(content).hexdigest().encode() != digest:
                raise ValueError("the digest does not fit")
            found = digest
            # Tensors, numbers and text: nothing in the file can run.
            state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
            self._ended, self.running = state["ended"], state["running"]
        except FileNotFoundError:
            pass
        except ValueError as error:
            logger.warning("the checkpoint %s is damaged and starts anew: %s", path, error)
        if not agree(found.decode()):
            raise ValueError(
                f"checkpoint must be a folder that all processes share; they see {path} differently"
            )

    def next_ended(self) -> dict[str, Any] | None:
        """What the next phase ended with, if it has."""
        self._n_passed += 1
        if self._n_passed > len(self._ended):
            return None
        return self._ended[self._n_passed - 1]

    def save(self, state: dict[str, Any]) -> None:
        """Keep the state of the training loop."""
        self.running = state
        self._write()

    def end(self, record: dict[str, Any]) -> None:
        """Keep what the present phase ended with."""
        self._ended.append(record)
        self.running = None
        self._write()
        wait_for_all()  # before anybody reads the file for the next fit

    def tidy(self) -> None:
        """Remove what killed processes left half written."""
        if is_first():
            remove_stale(self.path.parent, self.path.name)

    def _write(self) -> None:
        if not is_first():
            return
        content = io.BytesIO()
        torch.save({"ended": self._ended, "running": self.running}, content)
        digest = hashlib.sha256(content.getvalue()).hexdigest().encode()
        try:
            write_whole(self.path, digest + b"\n" + content.getvalue())
        except OSError as error:  # a full disk is no reason to stop training
            warnings.warn(f"no checkpoint could be written: {error}", UserWarning, stacklevel=2)
