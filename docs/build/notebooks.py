"""Hook of mkdocs: every notebook below docs/ is run, and becomes a page with what its cells showed.

Notebooks are kept without outputs. Each runs in a new kernel and an empty folder, offline; a cell that fails ends the build.
"""

import base64
import os
import re
import tempfile
from pathlib import Path

import nbformat
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File
from nbclient import NotebookClient
from traitlets.config import Config

OFFLINE = {"HF_HUB_OFFLINE": "1", "JAX_PLATFORMS": "cpu"}


def on_files(files, config):
    """Put a page, and the figures on it, in the place of each notebook."""
    os.environ.update(OFFLINE)
    for file in [file for file in files if file.src_uri.endswith(".ipynb")]:
        name = file.src_uri.removesuffix(".ipynb")
        markdown, figures = shown(executed(Path(file.abs_src_path)), Path(name).name)
        files.remove(file)
        files.append(File.generated(config, f"{name}.md", content=markdown))
        for figure, data in figures.items():
            files.append(File.generated(config, str(Path(name).parent / figure), content=data))
    return files


def executed(path: Path) -> nbformat.NotebookNode:
    """A notebook with the outputs of its cells."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as sockets:
        local = Config({"KernelManager": {"transport": "ipc", "ip": f"{sockets}/kernel"}})  # no port is opened
        resources = {"metadata": {"path": folder}}
        client = NotebookClient(notebook, timeout=300, kernel_name="python3", resources=resources, config=local)
        return client.execute()


def shown(notebook: nbformat.NotebookNode, name: str) -> tuple[str, dict[str, bytes]]:
    """A notebook as Markdown, and its figures by file name."""
    parts: list[str] = []
    figures: dict[str, bytes] = {}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        parts.append(f"```python\n{cell.source}\n```")
        for output in cell.outputs:
            parts.append(one_output(output, f"{name}_{len(figures) + 1}.png", figures))
    return "\n\n".join(part for part in parts if part) + "\n", figures


def one_output(output: nbformat.NotebookNode, name: str, figures: dict[str, bytes]) -> str:
    """What a cell showed, as Markdown; a figure is added to ``figures``."""
    if output.output_type == "stream":
        if "Warning" in output.text:
            raise PluginError(f"{name}: a cell warns: {output.text}")
        return fenced(output.text) if output.name == "stdout" else ""
    if "image/png" in output.data:
        figures[name] = base64.b64decode(output.data["image/png"])
        return f"![what the cell above draws]({name})"
    if "text/html" in output.data:
        plain = re.sub(r"<style scoped>.*?</style>", "", output.data["text/html"], flags=re.DOTALL)  # pandas'
        closed_up = re.sub(r"\n\s*\n", "\n", plain)  # an empty line would end the block
        return f'<div class="output">\n{closed_up}\n</div>'
    return fenced(output.data.get("text/plain", ""))


def fenced(text: str) -> str:
    """Plain text as a block of Markdown."""
    return f"```text\n{text.rstrip()}\n```" if text.strip() else ""
