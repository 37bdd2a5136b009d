"""``python -m memjax``: the command `memjax`."""

from memjax.cli.main import entry

if __name__ == "__main__":
    entry()
