"""Sphinx extension: puts beside the pages what they would otherwise fetch from the network.

MathJax comes from the package jupyter-server-mathjax (only the parts that typeset TeX), plotly.js from
the package plotly. Both are copied into the built book's `_static`, not into the source's: Jupyter Book loads
every script of the source's `_static` on every page. The run records that tables link to are copied too.
"""

import shutil
from pathlib import Path

import jupyter_server_mathjax
import plotly.offline

ROOT = Path(__file__).resolve().parents[2]
MATHJAX = (
    "LICENSE", "MathJax.js", "config/TeX-AMS-MML_HTMLorMML-full.js", "extensions/TeX", "jax/element",
    "jax/output/HTML-CSS/autoload", "jax/output/HTML-CSS/fonts/STIX-Web", "fonts/HTML-CSS/STIX-Web/woff",
)  # fmt: skip
RECORDS = ("book/records", "results")


def copy_libraries(app):
    """Before the pages are written: MathJax and plotly.js into the built `_static`."""
    static = Path(app.outdir) / "_static"
    source = Path(jupyter_server_mathjax.__file__).parent / "static"
    for name in MATHJAX:
        target = static / "mathjax" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (source / name).is_dir():
            shutil.copytree(source / name, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(source / name, target)
    (static / "plotly.min.js").write_text(plotly.offline.get_plotlyjs(), encoding="utf-8")


def copy_records(app, exception):
    """After the build: every record, at the place under the book's root that it has in the repository."""
    for folder in RECORDS if exception is None else ():
        for record in (ROOT / folder).rglob("*.json"):
            target = Path(app.outdir) / record.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(record, target)


def leave_out_thebe(app, pagename, templatename, context, doctree):
    """Jupyter Book loads the start of Thebe on every page, which would fetch the rest from a server."""
    scripts = context.get("script_files", [])
    context["script_files"] = [
        script for script in scripts
        if "thebe" not in f"{script.filename} {script.attributes.get('body')}".lower()
    ]  # fmt: skip


def setup(app):
    app.connect("builder-inited", copy_libraries)
    app.connect("html-page-context", leave_out_thebe, priority=900)
    app.connect("build-finished", copy_records)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
