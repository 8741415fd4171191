r"""Training of Kundu et al., CVPR 2020, in stages: our recipe. `kundu2020_part_algorithm` has Algorithm 1.

The encoder first sees puppets painted at random; then pairs of frames and drawn people join them; then the
studio is finetuned on with labels, and at last role outdoor, where a row says so. One Adam steps all losses.
"""

import math
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, binary_cross_entropy

from lib.image_networks import PatchDiscriminator
from lib.networks import count_parameters
from lib.papers import kundu2020_part_diagnostics as diagnostics
from lib.papers import kundu2020_part_losses as losses_of
from lib.papers.kundu2020_data import scenery
from lib.papers.kundu2020_model import frozen_statistics
from lib.papers.kundu2020_part_batches import WILD, Batches, Puppets, Variant
from lib.papers.kundu2020_part_data import Frames, other_views, take_frames, take_prior
from lib.papers.kundu2020_part_model import GREY, PartModel, Parts, Seen, figure, with_azimuth
from lib.papers.kundu2020_trainer import canonical_unit
from lib.precision import name as precision_name
from lib.skeleton import HUMAN36M_17

__all__ = ["Trainer"]

CHUNK = 256
PAINTING = 4.0  # factor on the rate of what draws, as in the AAAI 2020 chapter
ENTROPY = 0.3  # lambda_H
LABELS, VIEWS = 3.0, 1.0  # weight of labels, of the agreement of views
EVERY, LABELLED = 4, 2.3  # one labelled step in so many has pictures too; as many for one without labels
PUPPET = 0.15  # cost of a step on painted puppets, of one on pictures
MONITOR = 20  # steps between two looks at the monitored quantities
# as the bone ratios have it: thorax and spine both hang from the pelvis
PARENTS = tuple(
    0 if name == "thorax" else parent
    for name, parent in zip(HUMAN36M_17.joints, HUMAN36M_17.parents, strict=True)
)


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
        self.device = data["studio"]["train"].device
        self.precision = precision_name(self.device)
        self.generator = torch.Generator(self.device).manual_seed(seed)
        self.unit_mm = canonical_unit(data["studio"]["train"].joints_3d)
        role = "studio" if variant.prior == "studio" else "motion"
        prior, lengths = take_prior(data[role]["train"], variant.frames)
        self.model = PartModel(variant, profile, lengths).to(self.device)
        self.poses, self.prior = prior, None if variant.prior == "none" else prior
        self.initialisation = self.model.encoder.initialisation
        self.scenes = scenery(profile.scenes, profile.image, seed, self.device)
        self.footage: dict[str, Frames] = self._footage()
        self.backdrops = self.footage["studio"].footage if variant.saliency else None
        self.views = other_views(data["studio"]["train"]) if variant.labels == "views" else None
        self.puppets = self._puppets() if variant.painted and self.prior is not None else None
        self.stages = self._plan()
        self.steps = sum(self.stages.values())
        self.samples_per_step = profile.batch
        self.critic = (
            PatchDiscriminator(3, (32, 64), 1).to(self.device) if variant.energy == "adversary" else None
        )
        self._optimisers()
        self.parameters = count_parameters(self.model)
        self.shown: dict = {}

    def _footage(self) -> dict[str, Frames]:
        variant = self.variant
        roles = ["studio"] + ["wild"] * (variant.wild and not variant.encoder_only)
        roles += ["outdoor"] * bool(variant.last)
        found = {}
        for role in roles:
            poses = self.data[role]["train"]
            # one picture in four is of role wild, and its saliency is dear
            poses = poses.thinned(WILD) if role == "wild" else poses
            found[role] = take_frames(poses, role, self.profile.image)
        return found

    @torch.no_grad()
    def _puppets(self) -> Puppets:
        """As many posed puppets as the profile asks for."""
        count, variant, model = self.profile.puppets, self.variant, self.model
        poses, drawn = [], []
        for first in range(0, count, CHUNK):
            chunk = min(CHUNK, count - first)
            seen = self.prior.draw(model, chunk, variant.mixed, variant.shaken, self.generator)
            poses.append(seen)
            for index in torch.arange(chunk, device=self.device).split(32):
                parts = model.parts(seen[index], self.profile.image)
                shape = parts.phi_d[:, : len(model.template)].argmax(1)
                drawn.append([m.to(torch.uint8) for m in (shape, parts.w_fg * 255, parts.w_unc * 255)])
        shapes, mask, ring = (torch.cat(maps) for maps in zip(*drawn, strict=True))
        return Puppets(Seen.joined(poses), shapes, mask, ring)

    def _plan(self) -> dict[str, int]:
        """Steps of each stage, in their order."""
        variant, profile = self.variant, self.profile
        if variant.encoder_only:
            return {"labels": profile.label_steps}
        if not variant.pictures:
            return {"paint": profile.only_steps}
        paint = profile.paint_steps if self.puppets is not None else 0
        fine, last = profile.fine_steps, profile.last_steps if variant.last else 0
        base = profile.base_steps + (0 if variant.labels != "none" else fine)
        # most steps with labels see nothing else: more of them in as many minutes
        fine = round(fine * LABELLED)
        last = round(last * (LABELLED if variant.last != "none" else 1))
        base += 0 if paint else round(PUPPET * profile.paint_steps)  # as many minutes
        return {"paint": paint, "base": base, "fine": fine if variant.labels != "none" else 0, "last": last}

    def _optimisers(self) -> None:
        painters = [*self.model.appearance.parameters(), *self.model.decoder.parameters()]
        those = {id(p) for p in painters}
        readers = [p for p in self.model.parameters() if id(p) not in those]  # of poses
        groups = [{"params": readers, "factor": 1.0}, {"params": painters, "factor": PAINTING}]
        self.optimisers = {"all": torch.optim.Adam(groups, self.profile.rate, fused=True)}
        if self.critic is not None:
            self.optimisers["critic"] = torch.optim.Adam(
                self.critic.parameters(), 5e-4, (0.5, 0.999), fused=True
            )

    def stage(self, index: int) -> str:
        """Name of the stage that a step lies in."""
        return self._where(index)[0]

    def place(self, index: int) -> int:
        """How many steps of its stage come before a step."""
        return self._where(index)[1]

    def _where(self, index: int) -> tuple[str, int]:
        for name, count in self.stages.items():
            if index < count:
                return name, index
            index -= count
        raise IndexError(f"a step is beyond the last of {self.steps}")

    def step(self, index: int) -> dict[str, Tensor]:
        """One update of all networks with the losses of the stage that the index lies in."""
        self.shown.clear()
        self.model.train()
        stage = self.stage(index)
        # in every stage anew, so that labels are learned from as fast as pictures; painting goes steadily
        steady = stage == "paint" and len(self.stages) > 1
        done = 0.0 if steady else self.place(index) / self.stages[stage]
        rate = self.profile.rate * max(0.03, 0.5 + 0.5 * math.cos(math.pi * done))
        optimiser = self.optimisers["all"]
        for group in optimiser.param_groups:
            group["lr"] = rate * group["factor"]
        losses, monitors = self._losses(stage, index)
        optimiser.zero_grad(set_to_none=True)
        sum(losses.values()).backward()
        nn.utils.clip_grad_norm_(self.model.encoder.parameters(), 5.0)
        optimiser.step()
        return {name: loss.detach() for name, loss in losses.items()} | monitors

    # Losses.

    def _losses(self, stage: str, index: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        variant, model, batch = self.variant, self.model, self.profile.batch
        if stage == "labels":
            return self.label_losses("3d", "studio", variant.share, 2 * batch), {}
        if stage == "paint":
            if index % 4 == 0:  # the encoder remembers how filmed pictures are distributed
                pairs = self.pairs("base", batch)
                with torch.no_grad():
                    model.encoder(self.shown_to(pairs["target"], pairs["mask"]))
            return self.paint_losses(batch), {}
        kind, share = self.labels(stage)
        found = {}
        if kind != "none":
            found |= self.label_losses(kind, self.role(stage), share, 2 * batch)
            if index % EVERY:
                return found, {}
            batch //= 2
        pairs = self.pairs(stage, batch)
        filmed, seen, appearance = self.filmed_losses(pairs)
        found |= filmed
        # apart from its own turn below, the appearance encoder learns from filmed pictures alone
        drawn, z, bright = self.prior_losses(seen, appearance.detach(), pairs)
        found |= drawn
        if z is not None and variant.energy != "none":
            found |= self.energy_losses(index, *bright, z, appearance, pairs)
        if self.puppets is not None:
            found |= self.paint_losses(batch // 2)
        return found, self._monitor(index, seen, z, bright)

    def labels(self, stage: str) -> tuple[str, float]:
        """What labels a stage is given, and of which share of its pictures."""
        variant = self.variant
        if stage == "fine":
            return variant.labels, variant.share
        return (variant.last, variant.last_share) if stage == "last" else ("none", 0.0)

    def label_losses(self, kind: str, role: str, share: float, batch: int) -> dict[str, Tensor]:
        """Losses of finetuning: 2D or 3D labels of a role's pictures, or two cameras that must agree."""
        if kind == "views":
            pictures, one, other = self.two_views(batch // 2)
            seen = self.model.encode_pose(pictures)
            half = len(one)
            distance = losses_of.view_distance(seen[:half], seen[half:], one, other)
            return {"multi_view": VIEWS * distance}
        given = self.labelled(role, share, batch)
        seen = self.model.encode_pose(given["picture"])
        if kind == "2d":
            return {"label_2d": 3 * LABELS * (seen.points[:, :17] - given["points"]).abs().mean()}
        return {
            "label_3d": LABELS * sum(losses_of.pose_distance(seen, self.model.labels(given["pose"])).values())
        }

    def paint_losses(self, batch: int) -> dict[str, Tensor]:
        """The encoder on painted puppets; normalisation remembers nothing of them."""
        pictures, true = self.painted(batch)
        with frozen_statistics(self.model.encoder):
            found = losses_of.pose_distance(self.model.encode_pose(pictures), true)
        return {f"paint_{name}": value for name, value in found.items()}

    def filmed_losses(self, pairs: dict[str, Tensor]) -> tuple[dict[str, Tensor], Seen, Tensor]:
        """L_I^u on a pair of frames, and what binds the posed puppet to the salient person."""
        variant, model = self.variant, self.model
        seen = model.encode_pose(self.shown_to(self.jittered(pairs["target"]), pairs["mask"]))
        parts = model.parts(seen, self.profile.image // 2)
        appearance = model.encode_appearance(pairs["source"], self.person(pairs["source_mask"]))
        maps = parts.phi_d
        if variant.exchange:
            swapped = self.chance(len(maps), 1, 1, 1) < 0.5
            maps = torch.where(swapped, model.exchanged(maps), maps)
        drawn, logits = model.draw(maps, appearance)
        s = figure(logits)
        mask = pairs["mask"] if variant.saliency else torch.ones_like(s)
        found = {"image_u": losses_of.image_u(drawn, s, pairs["target"], mask, variant.image == "normalised")}
        if variant.saliency and variant.silhouette:
            found["silhouette"] = variant.silhouette * losses_of.silhouette(parts.w_fg, mask)
            found["mask_u"] = binary_cross_entropy(s, mask)
        if variant.pose == "free":
            found["bones"] = losses_of.bone_lengths(seen.turned, model.lengths, PARENTS)
        return {name: variant.weight * value for name, value in found.items()}, seen, appearance

    def prior_losses(
        self, seen: Seen, appearance: Tensor, pairs: dict[str, Tensor]
    ) -> tuple[dict[str, Tensor], Seen | None, tuple[Tensor, Tensor]]:
        """L_I^c and L_seg on people drawn in poses of the prior; without one, in the predicted poses."""
        variant, model = self.variant, self.model
        count = max(1, len(appearance) // 2)
        with torch.no_grad():
            if self.prior is not None:
                z = self.prior.draw(model, count, variant.mixed, variant.shaken, self.generator)
            else:
                z = seen[:count].still()
            parts: Parts = model.parts(z, self.profile.image)
        drawn, logits = model.draw(avg_pool2d(parts.phi_d, 2), appearance[:count])
        s = figure(logits)
        labels = parts.labels
        if variant.depths == "predicted":
            with torch.no_grad(), frozen_statistics(model.encoder):
                again = model.encode_pose(s * drawn + (1 - s) * self.behind(count))
                labels = model.parts(replace(z, depth=again.depth), self.profile.image).labels
        cross, entropy = losses_of.segmentation(logits, labels, parts.w_unc)
        found = {
            "image_c": losses_of.image_c(drawn, s, parts.w_fg, parts.w_unc),
            "seg": cross,
            "entropy": ENTROPY * entropy,
        }
        found = {name: variant.weight * value for name, value in found.items()}
        return found, (z if self.prior is not None else None), (drawn, s)

    def energy_losses(self, index: int, drawn, s, z: Seen, appearance, pairs) -> dict[str, Tensor]:
        """The energy step on people drawn in poses of the prior: one half learns, the other is frozen."""
        variant, model = self.variant, self.model
        picture = s * drawn + (1 - s) * self.behind(len(drawn))
        if self.critic is not None:
            real = self.shown_to(pairs["target"], pairs["mask"])
            return self.adversary(picture, real[: len(picture)])
        learns = index % 2 == 1  # the encoder's turn
        if learns:
            picture = picture.detach()
        for parameter in model.readers():
            parameter.requires_grad_(learns)
        with frozen_statistics(model.encoder), frozen_statistics(model.appearance):
            again = model.encode_pose(picture)
            found = {"energy_pose": sum(losses_of.pose_distance(again, z).values())}
            code = appearance[: len(picture)].detach()
            again = model.encode_appearance(picture, self.person(s.detach()))
            found["energy_appearance"] = 0.1 * (again - code).abs().mean()
        for parameter in model.readers():
            parameter.requires_grad_(True)
        return {name: variant.weight * value for name, value in found.items()}

    @torch.no_grad()
    def _monitor(self, index: int, seen: Seen, z: Seen | None, drawn: tuple) -> dict[str, Tensor]:
        """What would show a collapse: spread of poses, everybody facing the camera, people painted black."""
        if index % MONITOR:
            return {}
        found = {
            "pose_spread": seen.joints.std(0).mean(),
            "front_share": diagnostics.faces_camera(seen.turned).float().mean(),
        }
        if z is not None:
            picture, s = drawn
            bright = (picture.mean(1, keepdim=True) * s).sum((1, 2, 3)) / s.sum((1, 2, 3)).clamp_min(1.0)
            front = diagnostics.faces_camera(z.turned).float()
            found["bright_front"] = (bright * front).sum() / front.sum().clamp_min(1.0)
            found["bright_back"] = (bright * (1 - front)).sum() / (1 - front).sum().clamp_min(1.0)
        return found

    # What comes out.

    @torch.no_grad()
    def look(self, role: str, part: str = "test") -> tuple[Frames, Seen]:
        """A role's frames and what the encoder makes of them, kept for the rest of the evaluation."""
        if (role, part) not in self.shown:
            frames = take_frames(self.data[role][part], role, self.profile.image)
            self.shown[role, part] = frames, self.see(frames)
        return self.shown[role, part]

    @torch.no_grad()
    def see(self, frames: Frames) -> Seen:
        """The encoder's poses of all frames."""
        self.model.eval()
        index = torch.arange(len(frames), device=self.device)
        return Seen.joined(
            [
                self.model.encode_pose(self.shown_to(frames.footage.pictures(i), frames.masks(i)))
                for i in index.split(CHUNK)
            ]
        )

    @property
    def draws(self) -> bool:
        """Whether this variant trains a decoder."""
        return self.variant.pictures and not self.variant.encoder_only

    def appearances(self, frames: Frames, index: Tensor) -> Tensor:
        """a of some frames."""
        found = []
        for part in index.split(CHUNK):
            mask = frames.masks(part)
            picture = self.shown_to(frames.footage.pictures(part), mask)
            found.append(self.model.encode_appearance(picture, self.person(mask)))
        return torch.cat(found)

    def drawn(self, seen: Seen, appearance: Tensor, behind: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """People over grey, or before backgrounds (N, 3, S, S), and their decoded labels (N, S, S) uint8."""
        pictures, labels = [], []
        for index in torch.arange(len(appearance), device=self.device).split(64):
            maps = self.model.parts(seen[index], self.profile.image // 2).phi_d
            drawn, logits = self.model.draw(maps, appearance[index])
            s = figure(logits)
            pictures.append(s * drawn + (1 - s) * (GREY if behind is None else behind[index]))
            labels.append(logits.argmax(1).to(torch.uint8))
        return torch.cat(pictures), torch.cat(labels)

    def around(self, seen: Seen, angle: Tensor) -> Seen:
        """The same people from cameras that went around them by angles (N,)."""
        return with_azimuth(seen, self.model, angle)

    def predict(self, role: str) -> Tensor:
        """Root-centred test poses (N, 17, 3) in mm: trunks times the train mean of a trunk."""
        return self.look(role)[1].turned * self.unit_mm

    def diagnose(self, role: str) -> tuple[dict[str, float], dict[str, Tensor]]:
        """What the figures and claims ask of this method; see `kundu2020_part_diagnostics`."""
        return diagnostics.diagnose(self, role), {}

    def figures(self, role: str) -> dict[str, Tensor]:
        """Random test frames and failures with their parts, exchanged factors, moved cameras."""
        return diagnostics.figures(self, role)
