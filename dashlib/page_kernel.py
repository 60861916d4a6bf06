"""The kernel of one visitor's page: IPython's own, without what only a programmer's notebook needs (25 MiB)."""

import sys


def main() -> None:
    """Starts the kernel that `-f` names the connection of."""
    # A debugger is loaded by every kernel for whom it may concern; nobody steps through a page.
    sys.modules["debugpy"] = None  # type: ignore[assignment]
    from ipykernel.kernelapp import IPKernelApp

    IPKernelApp.launch_instance()


if __name__ == "__main__":
    main()
