"""Sosa & Hogg 2023: every row of the tables trains, what a run reads, and what it predicts."""

import json
import math
from dataclasses import asdict, replace

import pytest
import torch
from pictured import QUICK, train

from lib.data.images import Filmed
from lib.papers import sosa2023_single_image as sosa
from lib.papers import sosa2023_trainer
from lib.papers.elevation_lifting import LiftingLosses
from lib.papers.sosa2023_data import MARGIN, half_of_recordings, mirror
from lib.papers.sosa2023_trainer import Trainer, Variant, material
from lib.skeleton import HAND_21, HUMAN36M_17

FULL, LABELS = sosa.VARIANTS["full"], sosa.VARIANTS["labels"]
PRINTED = sosa.VARIANTS["as-printed"]
OURS = {name: variant for name, variant in sosa.VARIANTS.items() if isinstance(variant, Variant)}
LIFTING = {"2d", "3d", "def", "nf", "bl"}
NAMES = """
    error_2d error_2d_swap p_mpjpe_swap mirrored_share error_2d_omega error_2d_omega_swap
    p_mpjpe_lifter skeleton_correlation skeleton_correlation_shuffled skeleton_overlap
    skeleton_overlap_shuffled p_mpjpe_frames p_mpjpe_64th failure_threshold failure_share
    limb_deviation limb_deviation_failures limb_deviation_rest error_2d_mean error_2d_prior
    limb_deviation_mean limb_deviation_prior images parameters
""".split()
NAMES_OF_BODIES = """
    failure_share_sitting failure_share_other failure_error_extremities failure_error_trunk
    limb_asymmetry occlusion_correlation elevation_mean elevation_true label_accuracy
""".split()


@pytest.fixture(scope="module")
def data(few, hand):
    return few | hand


def make(data, variant, profile=QUICK, seed=0):
    return sosa.build(variant, profile, data, seed)


# Every row of the tables


@pytest.mark.parametrize("name", OURS)
def test_every_variant_trains_and_is_evaluated(data, name):
    variant = OURS[name]
    trainer = make({role: data[role] for role in sosa.roles(variant)}, variant)
    json.dumps(asdict(variant))
    history = train(trainer)
    assert len(history) == trainer.steps == sum(trainer.stages.values())
    for losses in history:
        assert losses and all(math.isfinite(value) for value in losses.values())
    seen = set().union(*history)
    assert {"flow", "discriminator", "adversarial", "omega", "skeleton"} <= seen
    assert seen & LIFTING == {term for term in LIFTING if getattr(variant.lifting, f"w_{term}")}
    joints = 21 if variant.role == "hands" else 17
    expected = {"outdoor": ("outdoor", "studio"), "hands": ("hands",)}
    assert trainer.test_roles == expected.get(variant.role, ("studio", "outdoor"))
    for role in trainer.test_roles:
        predicted = trainer.predict(role)
        assert predicted.shape == (len(data[role]["test"]), joints, 3)
        assert bool(predicted.isfinite().all()) and float(predicted[:, 0].abs().max()) < 1e-3
        values, arrays = trainer.diagnose(role)
        wanted = {*NAMES, *(() if joints == 21 else NAMES_OF_BODIES)}
        assert wanted <= set(values) and arrays == {}
        assert all(isinstance(value, float) for value in values.values())
        # only means over no frame may be missing
        empty = {key for key, value in values.items() if not math.isfinite(value)}
        assert all("fail" in key or key == "limb_deviation_rest" for key in empty), empty
        assert {"random/image", "random/aligned"} <= set(trainer.figures(role))
        assert values["error_2d_swap"] <= values["error_2d"] + 1e-4
        assert values["p_mpjpe_swap"] <= values["p_mpjpe_frames"] + 1e-4
        assert values["images"] == len(trainer.material.pictures)


def test_the_rows_of_the_tables_are_there():
    assert set(sosa.VARIANTS) == set(
        "full full-long gan base nf out both out-flow as-printed plain-omega lift-predicted through"
        " labels not-held elevation-uniform omega-pretrained images-10 images-30 hands elepose"
        " elepose-detected supervised mean-pose mean-shape flat-lift".split()
    )
    assert set(sosa.PROFILES) == {"smoke", "cpu", "gpu", "paper"}


def test_one_change_at_a_time():
    """Each ablation differs from the whole method in what its name says."""
    for name, fields in {
        "gan": {"lifting"}, "base": {"lifting"}, "nf": {"lifting"}, "full-long": {"longer"},
        "out": {"role"}, "both": {"role", "more_pictures"}, "out-flow": {"role", "flow_role"},
        "plain-omega": {"tolerant"}, "labels": {"labels"}, "not-held": {"hold"},
        "lift-predicted": {"lift_from"}, "through": {"gradient"}, "elevation-uniform": {"lifting"},
        "images-10": {"share"}, "omega-pretrained": {"omega_first"},
    }.items():  # fmt: skip
        first, second = asdict(FULL), asdict(sosa.VARIANTS[name])
        assert {key for key in first if first[key] != second[key]} == fields, name


def test_roles_of_each_variant(data):
    for name, variant in sosa.VARIANTS.items():
        needed = sosa.roles(variant)
        assert set(needed) <= set(sosa.ROLES)
        if name == "hands":
            assert needed == ("hands",)
        else:
            assert "hands" not in needed
            assert set(make({role: data[role] for role in needed}, variant).test_roles) <= set(needed)


def test_an_unknown_reader_of_skeleton_images_is_refused(data):
    with pytest.raises(ValueError, match="'dense' or 'soft-argmax', not 'transformer'"):
        make(data, replace(FULL, omega="transformer"))
    with pytest.raises(TypeError, match="str is no variant"):
        make(data, "full")


# What is read


@pytest.mark.parametrize("name", ["full", "both", "out-flow", "images-30", "hands"])
def test_no_frame_gives_both_a_picture_and_a_pose(data, name):
    """By recording: none is on both sides, so no camera's view of a moment is either."""
    variant = sosa.VARIANTS[name]
    profile = replace(QUICK, pictures=None)
    found = material(variant, profile, data)
    pictured = {variant.role, variant.more_pictures} - {None}
    posed = {variant.role, variant.flow_role} - {None}
    index = {role: [half_of_recordings(data[role]["train"], i) for i in (0, 1)] for role in pictured | posed}
    for first, second in index.values():
        train_part = data[variant.role]["train"]
        recordings = [
            {train_part.clips[clip].rsplit("/", 1)[0] for clip in train_part.clip[half].tolist()}
            for half in (first, second)
        ]
        assert not recordings[0] & recordings[1]

    def crops(role, which):
        train_part = data[role]["train"]
        return Filmed.of(train_part, role, 32, margin=MARGIN).crop[index[role][which]]

    def count_in(points, some):
        """How many of the points are rows of some."""
        gap = (points[:, None] - some).abs().amax((2, 3)).amin(1)
        return int((gap < 1e-5).sum())

    assert count_in(crops(variant.role, 0), found.pictures.points) > 0
    for role in pictured:
        assert count_in(crops(role, 1), found.pictures.points) == 0
    first = variant.role
    expected = crops(first, 1)
    if variant.flips and first != "hands":
        expected = torch.cat([expected, mirror(expected, HUMAN36M_17)])
    assert torch.equal(found.prior.points[: len(expected)], expected)
    for points in (found.prior.points, found.flow_points):
        assert sum(count_in(crops(role, 0), points) for role in pictured) == 0
    if variant.flow_role:
        flow = crops(variant.flow_role, 1)
        assert torch.equal(found.flow_points[: len(flow)], flow)
    else:
        assert torch.equal(found.flow_points, found.prior.points)


def test_training_reads_no_pose_of_its_pictures(data, monkeypatch):
    """Neither in 3D nor in 2D: once the pictures are drawn, the poses behind them may be anything.

    The prior's own 3D poses may be, too; the bone ratios are those of role motion.
    """
    honest = make(data, FULL)
    expected = train(honest)

    studio = data["studio"]["train"]
    first = half_of_recordings(studio, 0)
    pixels = studio.joints_2d.clone()
    pixels[first] = 1000 * torch.rand(len(first), 17, 2)
    nonsense = replace(
        studio,
        joints_2d=pixels,
        detected_2d=torch.full_like(pixels, math.nan),
        joints_3d=1000 * torch.randn_like(studio.joints_3d),
    )
    drawn = replace(
        honest.material.pictures, points=torch.full_like(honest.material.pictures.points, math.nan)
    )
    monkeypatch.setattr(sosa2023_trainer, "take_pictures", lambda *_: drawn)
    blind = make(data | {"studio": data["studio"] | {"train": nonsense}}, FULL)
    assert train(blind) == expected
    first, second = honest.model.state_dict(), blind.model.state_dict()
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_training_reads_no_test_frame(data):
    """And of role outdoor, of which this variant is only tested, nothing at all."""
    without = {"studio": {"train": data["studio"]["train"]}, "motion": data["motion"]}
    assert train(make(without, FULL)) == train(make(data, FULL))


def test_shares_of_the_pictures_are_spread_over_all_recordings(data):
    profile = replace(QUICK, pictures=None)
    counts = {}
    for name in ("full", "images-30", "images-10"):
        found = material(sosa.VARIANTS[name], profile, data)
        counts[name] = len(found.pictures)
        assert torch.equal(found.prior.points, material(FULL, profile, data).prior.points)
    whole = len(half_of_recordings(data["studio"]["train"], 0))
    assert counts == {"full": whole, "images-30": round(0.3 * whole), "images-10": round(0.1 * whole)}
    limited = replace(QUICK, pictures=40)
    assert len(material(sosa.VARIANTS["images-30"], limited, data).pictures) == 12


def test_pictures_of_both_roles(data):
    profile = replace(QUICK, pictures=None)
    both, out, studio = (material(sosa.VARIANTS[name], profile, data) for name in ("both", "out", "full"))
    assert torch.equal(both.pictures.images, torch.cat([out.pictures.images, studio.pictures.images]))
    assert torch.equal(both.prior.points, out.prior.points)


def test_the_flow_of_another_role_has_the_unit_of_the_prior(data):
    found, out = (material(sosa.VARIANTS[name], QUICK, data) for name in ("out-flow", "out"))
    assert found.prior.factor == out.prior.factor
    assert torch.equal(found.prior.points, out.prior.points)
    assert not torch.equal(found.flow_points, out.flow_points)


def test_a_hand_is_seen_from_three_sides_and_never_mirrored(data):
    found = material(sosa.VARIANTS["hands"], replace(QUICK, pictures=None), data)
    train_part = data["hands"]["train"]
    halves = [len(half_of_recordings(train_part, which)) for which in (0, 1)]
    assert len(found.pictures) == 3 * halves[0] and len(found.prior.points) == 3 * halves[1]
    assert found.prior.skeleton == HAND_21
    # the second and the third are turned by 45 and 90 degrees
    wrist, knuckle = 0, HAND_21.index("middle_1")
    way = found.prior.points[:, knuckle] - found.prior.points[:, wrist]
    angle = torch.rad2deg(torch.atan2(way[:, 1], way[:, 0])).view(3, -1)
    turned = (angle[1:] - angle[0] + 360) % 360
    torch.testing.assert_close(turned.median(1).values, torch.tensor([45.0, 90.0]), rtol=0, atol=1.0)
    trainer = make(data, sosa.VARIANTS["hands"])
    pictures = trainer.material.pictures
    shown = {picture.numpy().tobytes() for picture in pictures.batch(torch.arange(len(pictures)))}
    for _ in range(5):
        assert all(picture.numpy().tobytes() in shown for picture in trainer._pictures(8))


def test_half_of_the_pictures_of_people_are_mirrored(data):
    trainer = make(data, FULL)
    pictures = trainer.material.pictures
    known = pictures.batch(torch.arange(len(pictures))).flatten(1)
    kinds = []
    for _ in range(30):
        for picture in trainer._pictures(8):
            kinds.append(bool((known == picture.flatten()).all(1).any()))
            assert kinds[-1] or bool((known == picture.flip(-1).flatten()).all(1).any())
    assert 0.35 < sum(kinds) / len(kinds) < 0.65


# Evaluation


def test_predictions_are_lifted_points_in_the_unit_of_the_training_people(data):
    trainer = make(data, LABELS)
    train(trainer)
    seen = trainer.look("studio")
    head = HUMAN36M_17.index("head")
    train_part = data["studio"]["train"].joints_3d
    unit = (train_part[:, head] - train_part[:, 0]).norm(dim=-1).mean()
    pose = trainer.prior.normalise(seen["points"])
    with torch.no_grad():
        offsets, elevation = trainer.model.lifter(pose)
    depth = (10 + offsets).clamp_min(1)[..., None]
    expected = torch.cat([pose * depth, depth - 10], -1) * unit
    torch.testing.assert_close(trainer.predict("studio"), expected, rtol=1e-4, atol=0.1)
    torch.testing.assert_close(seen["elevation"], elevation, rtol=1e-4, atol=1e-5)
    # which of the two labellings is lifted, the reader of sides has chosen
    swapped = seen["seen"][:, list(trainer.swap)]
    kept = (seen["points"] == seen["seen"]).all((1, 2)) | (seen["points"] == swapped).all((1, 2))
    assert bool(kept.all())
    assert trainer.predict("studio") is trainer.predict("studio")  # looked at once


def test_without_labels_points_are_as_read(data):
    trainer = make(data, FULL)
    seen = trainer.look("studio")
    assert torch.equal(seen["points"], seen["seen"])


def test_parameters_are_those_that_are_trained(data):
    trainer = make(data, FULL)
    model = trainer.model
    networks = (model.phi, model.omega, model.discriminator, model.lifter, model.flow)
    count = sum(p.numel() for network in networks for p in network.parameters())
    assert trainer.parameters == count
    assert not any(p.requires_grad for p in model.average.parameters())
    assert isinstance(trainer, Trainer) and trainer.samples_per_step == QUICK.batch


def test_losses_as_printed_and_as_in_the_code():
    assert PRINTED.lifting == LiftingLosses(norm_2d="squared", norm_3d="squared", nf_limit=None)
    assert (PRINTED.gan, PRINTED.squared, PRINTED.tolerant, PRINTED.gradient) == ("log", True, False, 1.0)
    assert not PRINTED.staged and PRINTED.lift_from == "predicted" and PRINTED.hold == 0
