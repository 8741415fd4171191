"""The plan: data -> runs -> notebooks -> book, on two cores or on a cluster.

    snakemake book --profile profiles/local --config profile=cpu collection=mannequin seeds="0 1 2"

What there is to do is read from three places: a file in book/papers/ is a paper, its `grid` lists the
runs, and a page of book/_toc.yml under executed/ is a notebook. A run whose record is there is not
repeated: a run's job does not depend on the code of lib or on the age of the data. To repeat runs, delete
their records. A run's checkpoint is never declared here, so that a killed run goes on from it.
"""

import os
import re
import sys
import threading
import time
from pathlib import Path

import yaml

PROFILE = config.get("profile", "cpu")
COLLECTION = config.get("collection", "mannequin")
SEEDS = re.findall(r"\d+", str(config.get("seeds", "0")))
GRID = ("grid", "grid_extra") if config.get("grid") == "claims" else ("grid",)
GPUS = 1 if PROFILE in ("gpu", "paper") else 0
BIN = Path(sys.executable).parent
DATA = os.environ.get("POSE_DATA", "data")
ROLES = ("studio", "outdoor", "wild", "sport", "hands", "bodies", "motion")

RECORDINGS = (os.environ.get("CMU_MOCAP"), "data/cmu_mocap", "../shared/data/cmu_mocap")
GENERATED = ["mannequin"] + ["mocap"] * any(path and Path(path).is_dir() for path in RECORDINGS)
PAPERS = {path.stem: yaml.safe_load(path.read_text()) for path in sorted(Path("book/papers").glob("*.yml"))}
TOC = yaml.safe_load(Path("book/_toc.yml").read_text())
PAGES = [
    chapter["file"].removeprefix("executed/")
    for part in TOC["parts"]
    for chapter in part["chapters"]
    if chapter["file"].startswith("executed/")
]


def datasets(collection):
    """The files of a collection; of one that a user brought, those that are there.

    Their age says nothing: what they hold is in each record, as a hash.
    """
    # the protocols benchmarks_64, ... share the files of benchmarks
    folder = "benchmarks" if collection.startswith("benchmarks_") else collection
    files = [f"{DATA}/{folder}/{role}.h5" for role in ROLES]
    return [ancient(path) for path in files if collection in ("mannequin", "mocap") or Path(path).exists()]


def lacking(slug):
    """The variants of a paper that cannot be run on what the user brought; says once what is missing."""
    if COLLECTION in ("mannequin", "mocap"):
        return ()
    known = f"LACKING_{slug}"  # for the processes of the jobs, which read this file again
    if known not in os.environ:
        sys.path.insert(0, os.getcwd())
        from lib.run import missing_files  # takes seconds, and only such a collection needs it

        variants = [variant for part in GRID for variant in PAPERS[slug].get(part, ())]
        found = missing_files(slug, variants, COLLECTION)
        for line in dict.fromkeys(sum(found.values(), [])):
            print(f"{slug}: {len(found)} of {len(variants)} variants left out: {line}", file=sys.stderr)
        os.environ[known] = " ".join(found)
    return os.environ[known].split()


def records(slug, only=None):
    """The records of a paper's grid, or of some of it; a variant that is the same whatever the seed runs once.

    Without those for which data are missing.
    """
    paper = PAPERS[slug]
    return [
        f"results/{slug}/{COLLECTION}/{variant}-{PROFILE}-seed{seed}.json"
        for part in GRID
        for variant in paper.get(part, ())
        if (only is None or variant in only) and variant not in lacking(slug)
        for seed in (SEEDS[:1] if variant in paper.get("deterministic", ()) else SEEDS)
    ]


def foreign(slug):
    """The runs of other papers that a paper's tables show, as slug/variant."""
    rows = [row for table in PAPERS[slug].get("tables", {}).values() for row in table["rows"]]
    runs = [row.get("runs", "") for row in rows]
    names = [name for run in runs for name in ([run] if isinstance(run, str) else run.values())]
    return [name for name in dict.fromkeys(names) if "/" in name]


def borrowed(slug):
    """Their records, where the other paper's own grid makes them: the page waits until they are there."""
    named = [run.split("/") for run in foreign(slug)]
    return [path for other, variant in named if other in PAPERS for path in records(other, [variant])]


def notebook_inputs(wildcards):
    """What a page is made from: the data, and for the results of a paper its records."""
    collections = dict.fromkeys([*GENERATED, COLLECTION])
    found = [path for collection in collections for path in datasets(collection)]
    slug, _, page = wildcards.page.partition("/")
    if slug in PAPERS:
        found.append(f"book/papers/{slug}.yml")
    if slug in PAPERS and page.startswith("results"):
        found += records(slug) + borrowed(slug)
        for name in dict.fromkeys([slug, *(run.partition("/")[0] for run in foreign(slug))]):
            found += sorted(map(str, Path("book/records", name).rglob("*.json")))
    return found


RUNS = [path for slug in PAPERS for path in records(slug)]


def report_progress(every=5.0):
    """Prints, whenever a run ends, how many have ended and about how long the others will take."""
    waiting = [path for path in RUNS if not Path(path).exists()]
    if not waiting:
        return
    began, told = time.monotonic(), 0
    print(f"{len(waiting)} of {len(RUNS)} runs to do at profile {PROFILE}", file=sys.stderr, flush=True)
    while told < len(waiting):
        time.sleep(every)
        done = sum(Path(path).exists() for path in waiting)
        if done > told:
            told = done
            minutes = (time.monotonic() - began) / done * (len(waiting) - done) / 60
            line = f"{done} of {len(waiting)} runs done, about {minutes:.1f} minutes of runs remain"
            print(line, file=sys.stderr, flush=True)


onstart:
    threading.Thread(target=report_progress, daemon=True).start()


wildcard_constraints:
    slug="[a-z0-9_]+",
    collection="[a-z0-9_]+",
    variant="[a-z0-9-]+",
    profile="[a-z]+",
    seed=r"\d+",


localrules:
    book,
    grid,
    notebooks,
    data,


rule book:
    input:
        "book/_build/html/index.html",


rule grid:
    input:
        RUNS,


rule notebooks:
    input:
        expand("book/executed/{page}.ipynb", page=PAGES),


rule data:
    input:
        [datasets(collection) for collection in GENERATED],


# Only what this project makes: files that a user brought are never written here.
rule dataset:
    input:
        "lib/data/collections.py",
    output:
        expand(f"{DATA}/{{{{collection}}}}/{{role}}.h5", role=ROLES),
    wildcard_constraints:
        collection="mannequin|mocap",
    message:
        "Making the datasets of collection {wildcards.collection}"
    shell:
        "OMP_NUM_THREADS=1 {BIN}/python -m lib.data build {wildcards.collection}"


rule run:
    input:
        lambda wildcards: datasets(wildcards.collection),
    output:
        "results/{slug}/{collection}/{variant}-{profile}-seed{seed}.json",
    resources:
        gpu=GPUS,
    message:
        "Run: {wildcards.slug} {wildcards.variant} on {wildcards.collection},"
        " profile {wildcards.profile}, seed {wildcards.seed}"
    shell:
        "OMP_NUM_THREADS={threads} {BIN}/python -m lib.run --paper {wildcards.slug}"
        " --variant {wildcards.variant} --collection {wildcards.collection}"
        " --profile {wildcards.profile} --seed {wildcards.seed}"


rule notebook:
    input:
        notebook_inputs,
        source="notebooks/{page}.py",
        lib=sorted(map(str, Path("lib").rglob("*.py"))),
    output:
        "book/executed/{page}.ipynb",
    params:
        profile=PROFILE,
        collection=lambda wildcards: (
            f"-p collection {COLLECTION}" if wildcards.page.endswith("/results") else ""
        ),
    resources:
        gpu=GPUS,
    message:
        "Executing notebook {wildcards.page} at profile {params.profile}"
    shell:
        "export OMP_NUM_THREADS={threads} PLOTLY_IN_BOOK=1 PYDEVD_DISABLE_FILE_VALIDATION=1;"
        " {BIN}/jupytext --quiet --to ipynb --output - {input.source} |"
        " PYTHONWARNINGS=ignore::UserWarning {BIN}/papermill - {output} -k python3 --cwd $(dirname {input.source}) --no-progress-bar"
        " --log-level WARNING -p profile {params.profile} {params.collection}"


# From a clean folder each time: an incremental build hides the warnings of the pages that it does not read.
rule html:
    input:
        expand("book/executed/{page}.ipynb", page=PAGES),
        sorted(map(str, Path("book").glob("*.*"))),
        sorted(map(str, Path("book/_ext").glob("*.py"))),
        sorted(map(str, Path("book/_static").glob("*.*"))),
        "_config.yml",
    output:
        "book/_build/html/index.html",
    message:
        "Building the HTML book"
    shell:
        "rm -rf book/_build;"
        " {BIN}/jupyter-book build book --config _config.yml --path-output book -W --keep-going --quiet"
