"""Train: `python -m recipes.image.train STAGE --out DIR`: text, decoder, classifier, then unet.

Owns the loops: each is seeded by its step, goes on from its last checkpoint (kept once a minute) and logs its losses as
JSON lines. The text encoder first learns to say what a prompt means: the mean picture, row by row, at its last sixteen
tokens; so that the UNet finds a layout to look at rather than a language to learn.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import distributed, nn
from torch.nn import functional

from recipes.image import parts
from recipes.image.classifier import Classifier, classifier_loss
from recipes.image.scenes import draw, random_scene
from recipes.image.words import ids, say, vocabulary

_KEPT_EVERY_S = 60
_SEED = 20_261_123
ROWS = parts.LATENT_SIDE
_UNTOLD = 0.1  # share of prompts left out, for guidance


class Stage(nn.Module):
    """What one loop trains, and its loss on the batch of one seed."""

    batch = 64
    rate = 1e-3

    def loss(self, rng: random.Random) -> torch.Tensor:
        raise NotImplementedError


class Text(Stage):
    """The text encoder, by the rows of the mean picture."""

    rate = 1.5e-3

    def __init__(self) -> None:
        super().__init__()
        self.encoder = parts.text_encoder()
        self.rows = nn.Linear(self.encoder.config.hidden_size, ROWS * 3)
        self.words = vocabulary()

    def loss(self, rng: random.Random) -> torch.Tensor:
        scenes = [random_scene(rng) for _ in range(self.batch)]
        tokens = torch.tensor([ids(say(scene, rng), self.words) for scene in scenes])
        return self.layout_loss(self.encoder(tokens)[0], parts.latents_of(draw(scenes, rng)))

    def layout_loss(self, states: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
        """How far the layout in the states is from the picture."""
        told = self.rows(states[:, -ROWS:]).reshape(-1, ROWS, ROWS, 3)
        return functional.mse_loss(told, latents[:, :3].permute(0, 2, 3, 1))


class Decoder(Stage):
    """The autoencoder's decoder: crisp pictures from mean colours that are a little wrong."""

    batch = 16
    rate = 2e-3

    def __init__(self) -> None:
        super().__init__()
        self.autoencoder = parts.autoencoder()

    def loss(self, rng: random.Random) -> torch.Tensor:
        pictures = draw([random_scene(rng) for _ in range(self.batch)], rng)
        latents = parts.latents_of(pictures)
        latents = latents + torch.randn_like(latents) * torch.rand(self.batch, 1, 1, 1) * 0.15
        found = self.autoencoder.decode(latents, return_dict=False)[0]
        difference = found - (pictures * 2 - 1)
        return difference.abs().mean() + difference.pow(2).mean()


class Judge(Stage):
    """The classifier, which shares nothing with the pipeline."""

    batch = 48
    rate = 2e-3

    def __init__(self) -> None:
        super().__init__()
        self.classifier = Classifier()

    def loss(self, rng: random.Random) -> torch.Tensor:
        scenes = [random_scene(rng) for _ in range(self.batch)]
        pictures = draw(scenes, rng)
        if rng.random() < 0.3:  # a model's pictures are softer than drawn ones
            pictures = functional.avg_pool2d(pictures, 3, 1, 1, count_include_pad=False)
        pictures = (pictures + torch.randn_like(pictures) * rng.uniform(0, 0.06)).clamp(0, 1)
        return classifier_loss(self.classifier(pictures), scenes)


class Painter(Stage):
    """UNet and text encoder together: velocity at any noise, and the layout still."""

    batch = 64
    rate = 1.2e-3

    def __init__(self, start: Path | None) -> None:
        super().__init__()
        self.unet = parts.unet()
        self.text = Text()
        if start is not None:
            self.text.load_state_dict(_opened(start)["average"])
        self.scheduler = parts.scheduler()

    def loss(self, rng: random.Random) -> torch.Tensor:
        scenes = [random_scene(rng) for _ in range(self.batch)]
        prompts = ["" if rng.random() < _UNTOLD else say(scene, rng) for scene in scenes]
        tokens = torch.tensor([ids(prompt, self.text.words) for prompt in prompts])
        latents = parts.latents_of(draw(scenes, rng))
        told = torch.tensor([bool(prompt) for prompt in prompts])
        states = self.text.encoder(tokens)[0]
        times = _times(self.batch, self.scheduler.config.num_train_timesteps)
        noise = torch.randn_like(latents)
        noisy = self.scheduler.add_noise(latents, noise, times)
        wanted = self.scheduler.get_velocity(latents, noise, times)
        found = self.unet(noisy, times, states).sample
        layout = self.text.layout_loss(states[told], latents[told])
        return (
            functional.mse_loss(found[:, :3], wanted[:, :3])
            + 0.1 * functional.mse_loss(found[:, 3:], wanted[:, 3:])
            + 0.3 * layout
        )


def _times(count: int, steps: int) -> torch.Tensor:
    """One of each stretch of the schedule: less chance in the loss."""
    spread = (torch.arange(count) + torch.rand(count)) / count
    return (spread * steps).long().clamp(0, steps - 1)[torch.randperm(count)]


class Crew:
    """The processes that train one stage together, each on its own part of every batch; mostly one."""

    def __init__(self, place: int, size: int, meeting: Path | None = None) -> None:
        self.place, self.size = place, size
        if size > 1 and meeting is not None:
            distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=place, world_size=size)

    def share(self, gradients: list[torch.Tensor]) -> None:
        """Put the mean over all processes into each gradient."""
        if self.size == 1:
            return
        flat = torch.cat([one.flatten() for one in gradients])
        distributed.all_reduce(flat)
        for one, mean in zip(gradients, (flat / self.size).split([one.numel() for one in gradients]), strict=True):
            one.copy_(mean.view_as(one))


def train(stage: Stage, folder: Path, name: str, steps: int, crew: Crew, begin: Path | None = None) -> None:
    """Go on from `NAME.pt` to a number of steps; keep weights, their moving average and the optimiser there.

    A run that has none yet begins with the weights, and at the step, of the file of the same name in `begin` (`shortened`).
    """
    optimizer = torch.optim.AdamW(
        [one for one in stage.parameters() if one.requires_grad], lr=stage.rate, weight_decay=0.01
    )
    kept = folder / f"{name}.pt"
    first, average = 0, {key: value.clone() for key, value in stage.state_dict().items()}
    if kept.is_file():
        state = _opened(kept)
        stage.load_state_dict(state["weights"])
        optimizer.load_state_dict(state["optimizer"])
        first, average = state["step"], state["average"]
    elif begin is not None and (begin / kept.name).is_file():
        state = _opened(begin / kept.name)
        stage.load_state_dict(state["average"])
        first, average = state["step"], {key: value.clone() for key, value in stage.state_dict().items()}
        _keep(kept, {"step": first, "weights": average, "average": average, "optimizer": optimizer.state_dict()})
    told, began, losses = time.monotonic(), time.process_time(), []
    for step in range(first, steps):
        part = step * crew.size + crew.place
        rng = random.Random(_SEED * 1_000_003 + part)
        torch.manual_seed(_SEED + part)
        for group in optimizer.param_groups:
            group["lr"] = stage.rate * _pace(step, steps)
        loss = stage.loss(rng)
        optimizer.zero_grad()
        loss.backward()
        crew.share([one.grad for one in stage.parameters() if one.grad is not None])
        nn.utils.clip_grad_norm_(stage.parameters(), 1.0)
        optimizer.step()
        _follow(average, stage, min(0.995, step / (step + 20)))
        losses.append(loss.item())
        if crew.place == 0 and (step + 1 == steps or time.monotonic() - told > _KEPT_EVERY_S):
            _keep(
                kept,
                {
                    "step": step + 1,
                    "weights": stage.state_dict(),
                    "average": average,
                    "optimizer": optimizer.state_dict(),
                },
            )
            line = {
                "stage": name,
                "step": step + 1,
                "loss": sum(losses) / len(losses),
                "cpu_s": time.process_time() - began,
            }
            with (folder / "losses.jsonl").open("a") as log:
                log.write(json.dumps(line) + "\n")
            told, losses = time.monotonic(), []


def _pace(step: int, steps: int) -> float:
    """A short rise, then level, then down over the last third."""
    return min((step + 1) / 30, 1.0, max(0.02, (steps - step) / (steps / 3)))


@torch.no_grad()
def _follow(average: dict[str, torch.Tensor], stage: Stage, share: float) -> None:
    for key, value in stage.state_dict().items():
        if value.is_floating_point():
            average[key].lerp_(value, 1 - share)


def _opened(path: Path) -> dict[str, Any]:
    """A checkpoint, on the device of this run."""
    state: dict[str, Any] = torch.load(path, weights_only=True, map_location=torch.get_default_device())
    return state


def _keep(path: Path, state: dict[str, Any]) -> None:
    torch.save(state, path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)


def shortened(kept: Path, target: Path) -> None:
    """What another run can begin with: the averaged weights of a checkpoint, in half precision, and its step."""
    state = _opened(kept)
    average = {key: value.half() if value.is_floating_point() else value for key, value in state["average"].items()}
    torch.save({"step": state["step"], "average": average}, target)


STEPS = {"text": 1500, "decoder": 3600, "classifier": 6000, "unet": 13_500}
"""What each stage takes; later ones begin from earlier ones."""


def stage_of(name: str, folder: Path) -> Stage:
    """A stage as it begins."""
    text = folder / "text.pt"
    stages: dict[str, Callable[[], Stage]] = {
        "text": Text,
        "decoder": Decoder,
        "classifier": Judge,
        "unet": lambda: Painter(text if text.is_file() else None),
    }
    torch.manual_seed(_SEED)
    return stages[name]()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m recipes.image.train", description=__doc__)
    parser.add_argument("stage", choices=tuple(STEPS))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--begin", type=Path, help="directory with weights of another run, for a new run to go on from")
    parser.add_argument("--device", default="cpu", help="cpu, or where torch computes: cuda")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, help="pictures a step and process")
    parser.add_argument("--crew", type=int, default=1, help="processes that train together")
    parser.add_argument("--place", type=int, default=0, help="which of them this one is")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    torch.set_default_device(asked.device)  # everything is made there: the pictures, too
    torch.set_float32_matmul_precision("high")
    asked.out.mkdir(parents=True, exist_ok=True)
    stage = stage_of(asked.stage, asked.out)
    stage.batch = asked.batch or stage.batch
    crew = Crew(asked.place, asked.crew, asked.out / f"{asked.stage}.meeting")
    train(stage, asked.out, asked.stage, asked.steps or STEPS[asked.stage], crew, asked.begin)


if __name__ == "__main__":
    main()
