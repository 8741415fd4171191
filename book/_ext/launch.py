"""Sphinx extension: launch buttons that open a page's notebook where it can be edited.

A page is built from book/executed/, which git ignores; its notebook lies under notebooks/. JupyterLab on the
reader's own computer (`make lab`) is always offered; Binder where the repository's public address is
known: `repository: url` in _config.yml, else the https address of the clone's remote `origin`.
"""

import re
import subprocess
from pathlib import Path
from urllib.parse import quote

LAB = "http://localhost:8888/lab/tree"


def origin() -> str:
    """The https address of the clone's remote, or "" where it has none that others can reach."""
    command = ["git", "config", "--get", "remote.origin.url"]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True)
    except OSError:
        return ""
    found = done.stdout.strip()
    found = re.sub(r"^(ssh://)?git@([^:/]+)[:/]", r"https://\2/", found)
    return found.removesuffix(".git") if found.startswith("https://") and "@" not in found else ""


def binder(hub: str, repository: str, notebook: str) -> str:
    """The address at which a BinderHub opens a notebook of a repository in JupyterLab."""
    github = re.fullmatch(r"https://github\.com/([^/]+/[^/]+)", repository)
    place = f"gh/{github[1]}" if github else f"git/{quote(repository, safe='')}"
    return f"{hub.rstrip('/')}/v2/{place}/HEAD?urlpath=lab/tree/{notebook}"


def take_over(app, config):
    """The theme would link to the executed copies: it gets neither the address nor the buttons."""
    options = config.html_theme_options
    app.launch_hub = options.pop("launch_buttons", {}).get("binderhub_url", "")
    app.launch_repository = options.pop("repository_url", "") or origin()


def add_buttons(app, pagename, templatename, context, doctree):
    if not pagename.startswith("executed/") or "header_buttons" not in context:
        return
    notebook = f"notebooks/{pagename.removeprefix('executed/')}.ipynb"
    buttons = [("JupyterLab", "Open in the JupyterLab that `make lab` started", f"{LAB}/{notebook}")]
    if app.launch_hub and app.launch_repository:
        address = binder(app.launch_hub, app.launch_repository, notebook)
        buttons.append(("Binder", "Launch on Binder", address))
    context["header_buttons"].append({
        "type": "group",
        "tooltip": "Launch this notebook",
        "icon": "fas fa-rocket",
        "label": "launch-buttons",
        "buttons": [
            {"type": "link", "text": text, "tooltip": tip, "icon": "fas fa-play", "url": url}
            for text, tip, url in buttons
        ],
    })  # fmt: skip


def setup(app):
    app.connect("config-inited", take_over)
    app.connect("html-page-context", add_buttons, priority=600)  # after the theme has made its list
    return {"parallel_read_safe": True, "parallel_write_safe": True}
