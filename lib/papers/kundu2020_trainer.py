r"""Training of Kundu et al., AAAI 2020, in stages: our recipe. `kundu2020_printed` has the paper's.

The 20 labelled renders alone come first; then pairs, pictures with moving background and drawn people join
them; at last one role is finetuned on, with labels where a row has them. One Adam steps all losses.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy

from lib.image_networks import PatchDiscriminator
from lib.kinematics import (
    bone_ratios,
    camera_parameters,
    canonical,
    forward_kinematics,
    inverse_kinematics,
)
from lib.networks import count_parameters
from lib.papers import kundu2020_diagnostics
from lib.papers.kundu2020_batches import Batches, Variant, turn_pictures
from lib.papers.kundu2020_data import (
    Footage,
    Renders,
    choose,
    draw_renders,
    scenery,
    take,
    take_footage,
)  # fmt: skip
from lib.papers.kundu2020_model import Encoded, Model, frozen_statistics
from lib.precision import name as precision_name
from lib.skeleton import HUMAN36M_17

__all__ = ["Trainer"]

CHUNK = 256
BEHIND = {"studio": "all", "outdoor": "all", "wild": "sorted"}  # how backgrounds are come by
LABELS = 3.0  # weight of labels, as that of the losses without
PAINTING = 4.0  # factor on the rate of what draws: it starts late and decides what the encoder is told
MONITOR = 20  # steps between two looks at the monitored quantities


class Trainer(Batches):
    """Trains one variant. `step(i)` makes the i-th update and returns its losses, on the device.

    Arguments:
        variant, profile: what and how long.
        data: role -> {"train": Poses, "test": Poses}.
        seed: of the weights, the batches and the drawn poses.
    """

    test_roles = ("studio", "outdoor", "sport", "wild")

    def __init__(self, variant: Variant, profile, data: dict, seed: int):
        torch.manual_seed(seed)
        self.variant, self.profile, self.data = variant, profile, data
        studio = data["studio"]["train"]
        self.device = studio.device
        self.precision = precision_name(self.device)
        self.generator = torch.Generator(self.device).manual_seed(seed)
        motion = data["motion"]["train"]
        self.unit_mm = canonical_unit(data[variant.role]["train"].joints_3d)
        self.model = Model(variant, profile, bone_ratios(motion.joints_3d)).to(self.device)
        self.initialisation = self.model.encoder.initialisation
        self.renders: Renders | None = self._renders(motion, data["bodies"]["train"])
        self.scenes = scenery(profile.scenes, profile.image, seed, self.device)
        self.footage: dict[str, Footage] = self._footage()
        self.stages = self._plan()
        self.steps = sum(self.stages.values())
        self.samples_per_step = profile.batch
        self.critic = (
            PatchDiscriminator(3, (32, 64), 1).to(self.device) if variant.critic == "adversary" else None
        )
        self._optimisers()
        self.parameters = count_parameters(self.model)
        self.shown: dict = {}

    def _renders(self, motion, bodies) -> Renders | None:
        """The labelled renders: those of role bodies, or as many as asked for of role motion."""
        variant, lengths, size = self.variant, self.model.lengths, self.profile.image
        if variant.renders == 0:
            return None
        index = torch.arange(len(bodies), device=self.device)
        if variant.chosen != "bodies":
            motion = take(motion, choose(motion, variant.renders, variant.chosen))
            return draw_renders(motion, lengths, size, variant.frames)
        if variant.renders < len(bodies):
            index = choose(bodies, variant.renders, "medoids")
        found = draw_renders(take(bodies, index), lengths, size, variant.frames)
        if variant.renders > len(bodies):
            more = take(motion, choose(motion, variant.renders - len(bodies), "medoids"))
            found = found.joined(draw_renders(more, lengths, size, variant.frames))
        return found

    def _footage(self) -> dict[str, Footage]:
        variant, size = self.variant, self.profile.image
        if variant.pictures.startswith("none"):
            return {}
        roles = {"studio": "studio", variant.role: variant.role} | ({"wild": "wild"} if variant.wild else {})
        if variant.pictures == "statistics" or variant.supervised:
            roles.pop("wild", None)
        return {r: take_footage(self.data[r]["train"], r, size, BEHIND.get(r, "none")) for r in roles}

    def _plan(self) -> dict[str, int]:
        """Steps of each stage, in their order."""
        variant, profile = self.variant, self.profile
        if variant.supervised:
            return {"labels": profile.label_steps}
        if variant.pictures.startswith("none"):
            return {"prior": profile.prior_steps if variant.pictures == "none-early" else profile.only_steps}
        if variant.pictures == "statistics":  # a step costs more: as many minutes
            return {"prior": round(0.6 * profile.only_steps)}
        prior = profile.prior_steps if self.renders is not None else 0
        return {"prior": prior, "base": profile.base_steps, "fine": profile.fine_steps}

    def _optimisers(self) -> None:
        painters = [*self.model.appearance.parameters(), *self.model.decoder.parameters()]
        those = {id(p) for p in painters}
        readers = [p for p in self.model.parameters() if id(p) not in those]
        groups = [{"params": readers, "factor": 1.0}, {"params": painters, "factor": PAINTING}]
        self.optimisers = {"all": torch.optim.Adam(groups, self.profile.rate, fused=True)}
        if self.critic is not None:
            self.optimisers["critic"] = torch.optim.Adam(
                self.critic.parameters(), 5e-4, (0.5, 0.999), fused=True
            )

    def stage(self, index: int) -> tuple[str, float]:
        """Name of the stage that a step lies in, and the share of it that is done."""
        begin = 0
        for name, count in self.stages.items():
            if index < begin + count:
                return name, (index - begin) / count
            begin += count
        raise IndexError(f"step {index} is beyond the last of {self.steps}")

    def step(self, index: int) -> dict[str, Tensor]:
        """One update of all networks with the losses of the stage that the index lies in."""
        self.shown.clear()
        self.model.train()
        stage, _ = self.stage(index)
        first = self.stages.get("prior", 0) if len(self.stages) > 1 else 0
        done = max(0, index - first) / max(1, self.steps - first)
        rate = self.profile.rate * max(0.03, 0.5 + 0.5 * math.cos(math.pi * done))
        for group in self.optimisers["all"].param_groups:
            group["lr"] = rate * group["factor"]
        losses, drawn = self._losses(stage)
        optimiser = self.optimisers["all"]
        optimiser.zero_grad(set_to_none=True)
        sum(losses.values()).backward()
        nn.utils.clip_grad_norm_(self.model.encoder.parameters(), 5.0)
        optimiser.step()
        report = {name: loss.detach() for name, loss in losses.items()}
        if drawn is not None:
            report |= self._monitor(index, *drawn)
        return report

    # Losses.

    def prior_losses(self, seen: Encoded, true: Encoded, kind: str) -> dict[str, Tensor]:
        """L_prior, L1: canonical joints and 2D points, and the joints in camera axes (ours)."""
        values = {
            "3d": (seen.joints - true.joints).abs().mean(),
            "camera": (seen.turned - true.turned).abs().mean(),
            "2d": (seen.points - true.points).abs().mean(),
        }
        if kind != "prior":
            return {kind: sum(values.values())}
        return {f"prior_{name}": value for name, value in values.items()}

    def render_labels(self, index: Tensor) -> Encoded:
        """Labels of some renders; the points are those of the picture."""
        renders = self.renders
        posed = self.model.pose(renders.parameters[index], renders.camera[index])
        return Encoded(
            posed.parameters, posed.camera, renders.joints[index], posed.turned, renders.points[index]
        )

    def pose_labels(self, pose: Tensor, points: Tensor) -> Encoded:
        """Labels from 3D poses (B, 17, 3), retargeted to the model's bone ratios."""
        frames = self.variant.frames
        parameters, R = inverse_kinematics(pose, frames), canonical(pose)[1]
        joints = forward_kinematics(parameters, self.model.lengths, frames)
        return Encoded(parameters, camera_parameters(R), joints, joints @ R.mT, points)

    def _losses(self, stage: str) -> tuple[dict[str, Tensor], tuple | None]:
        """All losses of a step, and what the monitors look at."""
        variant, model, batch = self.variant, self.model, self.profile.batch
        if stage == "labels":
            labelled = self.labelled(2 * batch)
            seen = model.encode_pose(labelled["picture"])
            return self.prior_losses(
                seen, self.pose_labels(labelled["pose"], labelled["points"]), "label_3d"
            ), None

        with_labels = stage == "fine" and (variant.labels_2d or variant.labels_3d > 0)
        if with_labels:
            batch //= 2  # labels teach more than a redrawn picture does, and cost less
        pictures, parts = [], {}

        def add(name: str, shown: Tensor) -> None:
            start = sum(map(len, pictures))
            parts[name] = slice(start, start + len(shown))
            pictures.append(shown)

        renders = None
        if self.renders is not None:
            shown, renders = self.labelled_renders(batch)
            add("prior", shown)
        if stage == "prior":
            if variant.pictures == "statistics":
                add("seen", self.pairs("fine", batch)["target"])
            seen = model.encode_pose(torch.cat(pictures))
            return self.prior_losses(seen[parts["prior"]], self.render_labels(renders), "prior"), None

        pairs = self.pairs(stage, batch)
        add("target", pairs["target"])
        loose = self.unpaired(batch // 2) if stage == "base" else None
        if loose is not None:
            add("loose", loose["target"])
        appearance = model.encode_appearance(pairs["source"])
        novel = None
        if variant.novel and renders is not None:
            novel = self.novel_poses(batch)
            with torch.no_grad(), frozen_statistics(model.decoder):
                drawn, _ = model.draw(novel.points, appearance.detach(), self.random_scenes(batch))
            add("novel", drawn)
        labelled = self.labelled(4 * batch) if with_labels else None
        if labelled is not None:
            add("label", labelled["picture"])
        seen = model.encode_pose(torch.cat(pictures))

        losses = {}
        if renders is not None:
            losses |= self.prior_losses(seen[parts["prior"]], self.render_labels(renders), "prior")
        if novel is not None:
            losses |= self.prior_losses(seen[parts["novel"]], novel, "novel")
        if labelled is not None and variant.labels_3d:
            true = self.pose_labels(labelled["pose"], labelled["points"])
            found = self.prior_losses(seen[parts["label"]], true, "label_3d")
            losses["label_3d"] = LABELS * found["label_3d"]
        elif labelled is not None:
            losses["label_2d"] = 3 * LABELS * (seen.points[parts["label"]] - labelled["points"]).abs().mean()

        points = seen.points[parts["target"]]
        points.retain_grad()
        noisy = points + 0.01 * torch.randn(points.shape, generator=self.generator, device=self.device)
        drawn, mask = model.draw(noisy, appearance, pairs["behind"])
        losses["reconstruction"] = 6 * variant.weight * (drawn - pairs["target"]).abs().mean()
        if variant.silhouette and mask is not None:
            apart = binary_cross_entropy(mask, silhouettes(pairs))
            losses["silhouette"] = variant.weight * variant.silhouette * apart
        if variant.redraw and renders is not None:
            half = slice(0, batch // 2)
            shown, true = pictures[0][half], self.render_labels(renders[half])
            behind = self._behind(renders[half], shown)
            again, mask = model.draw(true.points, model.encode_appearance(shown.flip(-1)), behind)
            losses["redraw"] = 6 * variant.weight * (again - shown).abs().mean()
            if mask is not None and variant.silhouette:
                outline = self.renders.mask[renders[half]].float()
                losses["outline"] = binary_cross_entropy(mask, outline)
        losses |= self._second_pass(
            points, appearance, drawn, loose, None if loose is None else seen.points[parts["loose"]]
        )
        return losses, (points, appearance, drawn, pairs, seen[parts["target"]])

    def _behind(self, renders: Tensor, shown: Tensor) -> Tensor:
        """The renders' backgrounds with the person's place filled by another scene."""
        return torch.where(self.renders.mask[renders], self.random_scenes(len(shown)), shown)

    def _second_pass(self, points, appearance, drawn, loose, loose_points) -> dict[str, Tensor]:
        """L_P's cycle on pictures drawn, and L_UNP on pictures drawn of D_unp by the frozen decoder."""
        variant, model, losses = self.variant, self.model, {}
        half = slice(0, len(drawn) // 2)  # enough of them, and half as dear
        shown, targets, codes = [drawn[half]], [points[half]], [appearance[half]]
        if loose is not None:
            codes.append(model.encode_appearance(loose["source"]))
            model.decoder.requires_grad_(not variant.frozen)
            with frozen_statistics(model.decoder):
                pictured, _ = model.draw(loose_points, codes[1], self.random_scenes(len(loose_points)))
            model.decoder.requires_grad_(True)
            if self.critic is not None:
                losses |= self.adversary(pictured, loose["target"])
            else:
                flip = self.chance(len(pictured)) < 0.5
                angle = torch.where(flip, 0.0, (self.chance(len(pictured)) - 0.5) * 0.7)
                turned, target = turn_pictures(
                    pictured, loose_points, angle, flip, variant.camera == "fitted"
                )
                shown.append(turned)
                targets.append(target)
        with frozen_statistics(model.encoder):
            again = [model.encode_pose(part).points for part in shown]
        # apart: in one batch, normalisation would carry the gradient of L_UNP over to the decoder
        codes_again = [model.encode_appearance(part) for part in shown]
        names = ("cycle", "energy")
        for name, target, code, p, f in zip(names, targets, codes, again, codes_again, strict=False):
            if variant.detach:
                target, code = target.detach(), code.detach()
            losses[f"{name}_2d"] = variant.weight * (target - p).abs().mean()
            losses[f"{name}_appearance"] = 0.1 * variant.weight * (code - f).abs().mean()
        return losses

    @torch.no_grad()
    def _monitor(self, index: int, points, appearance, drawn, pairs, seen: Encoded) -> dict[str, Tensor]:
        """What would show a collapse; see `kundu2020_diagnostics.leak` for the last."""
        found = {
            "map_gradient": points.grad.abs().mean() if points.grad is not None else points.new_zeros(())
        }
        if (index - self.stages.get("prior", 0)) % MONITOR == 0:
            found["pose_spread"] = seen.joints.std(0).mean()
            found["appearance_spread"] = appearance.flatten(1).std(0).mean()
            with frozen_statistics(self.model):
                found["leak"] = kundu2020_diagnostics.leak(self.model, points, appearance, drawn, pairs)
        return found

    # What comes out.

    @torch.no_grad()
    def look(self, role: str, part: str = "test") -> tuple[Footage, Encoded]:
        """A role's frames and what the encoder makes of them, kept for the rest of the evaluation."""
        if (role, part) not in self.shown:
            behind = BEHIND[role] if role in ("studio", "wild") else "none"  # the others are not redrawn
            footage = take_footage(self.data[role][part], role, self.profile.image, behind)
            self.shown[role, part] = footage, self.see(footage)
        return self.shown[role, part]

    @torch.no_grad()
    def see(self, footage: Footage) -> Encoded:
        """The encoder's poses of all frames."""
        self.model.eval()
        index = torch.arange(len(footage), device=self.device)
        parts = [self.model.encode_pose(footage.pictures(i)) for i in index.split(CHUNK)]
        return Encoded(*(torch.cat([getattr(p, n) for p in parts]) for n in Encoded.__dataclass_fields__))

    def predict(self, role: str) -> Tensor:
        """Root-centred test poses (N, 17, 3) in mm: trunks times the train mean of a trunk."""
        return self.look(role)[1].turned * self.unit_mm

    def diagnose(self, role: str) -> tuple[dict[str, float], dict[str, Tensor]]:
        """What the figures and claims ask of this method; see `kundu2020_diagnostics`."""
        return kundu2020_diagnostics.diagnose(self, role), {}

    def figures(self, role: str) -> dict[str, Tensor]:
        """Random test frames, failures, exchanged factors and redrawn frames."""
        return kundu2020_diagnostics.figures(self, role)


def silhouettes(pairs: dict[str, Tensor]) -> Tensor:
    """Where the pictures of pairs differ from their estimated backgrounds: (N, 1, S, S) in [0, 1]."""
    difference = (pairs["target"] - pairs["behind"]).abs().amax(1, keepdim=True)
    return ((difference - 0.06) / 0.06).clamp(0, 1)


def canonical_unit(poses: Tensor) -> Tensor:
    """Mean trunk length, pelvis to thorax, of poses (N, 17, 3) in mm."""
    return (poses[:, HUMAN36M_17.index("thorax")] - poses[:, 0]).norm(dim=-1).mean()
