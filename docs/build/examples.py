"""Extension of Griffe: the section "Example:" of a docstring is read as "Examples:", so that its session is set as code.

A session that ends a docstring without a section of its own becomes such a section too.
"""

import re
import textwrap

import griffe


class Examples(griffe.Extension):
    """Renames the section before docstrings are parsed."""

    def on_object(self, *, obj: griffe.Object, **kwargs: object) -> None:
        """Of every module, class, function and attribute that is collected."""
        if obj.docstring:
            value = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
            text, session, rest = value.partition("\n\n>>> ")
            obj.docstring.value = f"{text}\n\nExamples:\n{textwrap.indent('>>> ' + rest, '    ')}" if session else value
