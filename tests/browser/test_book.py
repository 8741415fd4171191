"""The built book in a real browser, opened from disk: equations typeset, figures drawn, nothing fetched.

Skipped, with the reason, where no Chromium is installed or no book is built.
"""

import shutil
from pathlib import Path

import pytest

sync_api = pytest.importorskip("playwright.sync_api")

BOOK = Path(__file__).resolve().parents[2] / "book" / "_build" / "html"
PAGES = sorted(
    page.relative_to(BOOK).as_posix()
    for page in BOOK.rglob("*.html")
    if not {"_static", "_sources"} & set(page.relative_to(BOOK).parts)
)
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SIZES = {"desktop": (1280, 900), "telephone": (390, 844)}
# WebGL is drawn in software, so that the 3D figures work on a machine without a display or GPU.
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--use-gl=angle", "--use-angle=swiftshader",
             "--enable-unsafe-swiftshader"]  # fmt: skip
NO_BOOK = "no book is built: make book"

# MathJax works through a queue: a call put at its end comes when every equation is typeset.
SETTLED = """() => {
    const queue = window.MathJax && MathJax.isReady && MathJax.Hub && MathJax.Hub.queue;
    if (queue && window.typeset === undefined) {
        window.typeset = false;
        MathJax.Hub.Queue(() => { window.typeset = true; });
    }
    return (window.typeset || !document.querySelector('.math.notranslate'))
        && [...document.querySelectorAll('.plotly-graph-div')].every(d => d.querySelector('.main-svg'));
}"""
PATIENCE = 180_000  # milliseconds: figures in 3D are drawn in software, perhaps on a busy machine
RAW_MATH = r"""() => [...document.querySelectorAll('.math.notranslate')]
    .filter(m => !m.querySelector('.MathJax, .MathJax_Display')
        || m.querySelector('.MathJax_Error, .merror, .noError'))
    .map(m => m.textContent.slice(0, 80))"""
NO_ALT = """() => [...document.querySelectorAll('article img')]
    .filter(i => !i.alt.trim() || !i.complete || i.naturalWidth === 0).map(i => i.src)"""
NOT_DRAWN = """() => [...document.querySelectorAll('.plotly-graph-div')].filter(d => {
    const scenes = Object.keys(d._fullLayout || {}).filter(k => /^scene[0-9]*$/.test(k));
    const canvas = d.querySelector('.gl-container canvas');
    return !d.classList.contains('js-plotly-plot') || (scenes.length > 0 && !(canvas && canvas.width > 0));
}).map(d => d.id)"""
UNNAMED = """() => [...document.querySelectorAll('.plotly-graph-div')]
    .filter(d => !d.closest('[role=img][aria-label]')).map(d => d.id)"""
TOO_WIDE = """() => [document.documentElement.scrollWidth, window.innerWidth]"""
LINKS = """() => [...document.querySelectorAll('article a[href], .bd-sidebar a[href]')]
    .map(a => a.href)"""


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    if not PAGES:
        pytest.skip(NO_BOOK)
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        context = browser.new_context()
        context.set_default_timeout(PATIENCE)
        yield context
        browser.close()


@pytest.mark.skipif(not PAGES, reason=NO_BOOK)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", PAGES or ["index.html"])
def test_page_opens_from_disk(browser, name, size):
    width, height = SIZES[size]
    page = browser.new_page()
    page.set_viewport_size({"width": width, "height": height})
    requests, failed, errors = [], [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("requestfailed", lambda request: failed.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((BOOK / name).as_uri())
    page.wait_for_function(SETTLED)
    outside = [url for url in requests if not url.startswith(("file:", "data:", "blob:", "about:"))]
    assert outside == [], "asked the network"
    # MathJax asks for about:blank, a font without letters, while it waits for its own.
    assert [url for url in failed if url != "about:blank"] == [], "a file of the book is missing"
    assert errors == [], "a script failed"
    assert page.evaluate(RAW_MATH) == [], "equations not typeset"
    assert page.evaluate(NOT_DRAWN) == [], "figures not drawn"
    assert page.evaluate(UNNAMED) == [], "figures without alternative text"
    assert page.evaluate(NO_ALT) == [], "images missing or without alternative text"
    needed, available = page.evaluate(TOO_WIDE)
    assert needed <= available, f"scrolls sideways: {needed} of {available} pixels"
    page.close()


@pytest.mark.skipif(not PAGES, reason=NO_BOOK)
def test_links_between_files_lead_somewhere(browser):
    page = browser.new_page()
    dead = {}
    for name in PAGES:
        page.goto((BOOK / name).as_uri(), wait_until="domcontentloaded")
        for url in set(page.evaluate(LINKS)):
            target = url.split("#")[0].split("?")[0]
            if target.startswith("file:") and not Path(target.removeprefix("file://")).is_file():
                dead.setdefault(name, []).append(target.removeprefix(BOOK.as_uri()))
    page.close()
    assert dead == {}


@pytest.mark.skipif(not PAGES, reason=NO_BOOK)
@pytest.mark.parametrize(
    ("mark", "drawn"),
    [("math notranslate", ".math .MathJax"), ("plotly-graph-div", ".js-plotly-plot .gl-container canvas")],
)
def test_book_has_equations_and_a_figure_in_3d(browser, mark, drawn):
    page = browser.new_page()
    found = 0
    for name in PAGES:
        if not found and mark in (BOOK / name).read_text(encoding="utf-8"):
            page.goto((BOOK / name).as_uri())
            page.wait_for_function(SETTLED)
            found = page.locator(drawn).count()
    page.close()
    assert found > 0


@pytest.mark.skipif(not PAGES, reason=NO_BOOK)
def test_theme_switches_between_light_and_dark(browser):
    page = browser.new_page()
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto((BOOK / "index.html").as_uri())
    seen = set()
    for _ in range(3):
        page.locator("button.theme-switch-button:visible").first.click()
        seen.add(page.evaluate("document.documentElement.dataset.theme"))
    page.close()
    assert seen == {"light", "dark"}
