"""The training steps of the presets of `vae bench` in PyTorch: the same layers, loss and Adam.

Images lie on the device, and no loss is read while the clock runs. Once ready it prints a line of JSON that says what it
runs; then, for every line on standard input, it trains for SECONDS and prints images a second.
"""

import sys

import torch
from torch import nn
from torch.nn import functional

import turns

CONV, UP, RELU = nn.Conv2d, nn.ConvTranspose2d, nn.ReLU


class WorldModels(nn.Module):
    """V of World Models (Ha and Schmidhuber, arXiv 1803.10122): sum of squares, at least 16 nats of KL divergence."""

    shape, latent, count = (3, 64, 64), 32, 4_348_547
    squares, least = True, 16.0

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            CONV(3, 32, 4, 2), RELU(), CONV(32, 64, 4, 2), RELU(), CONV(64, 128, 4, 2), RELU(),
            CONV(128, 256, 4, 2), RELU(), nn.Flatten(), nn.Linear(1024, 2 * self.latent),
        )
        self.decoder = nn.Sequential(
            nn.Linear(self.latent, 1024), nn.Unflatten(1, (1024, 1, 1)), UP(1024, 128, 5, 2), RELU(), UP(128, 64, 5, 2),
            RELU(), UP(64, 32, 6, 2), RELU(), UP(32, 3, 6, 2),
        )


class Disentanglement(nn.Module):
    """The net of disentanglement_lib (Locatello et al., arXiv 1811.12359)."""

    shape, latent, count = (1, 64, 64), 10, 690_517
    squares, least = False, None

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            CONV(1, 32, 4, 2, 1), RELU(), CONV(32, 32, 4, 2, 1), RELU(), CONV(32, 64, 2, 2), RELU(), CONV(64, 64, 2, 2),
            RELU(), nn.Flatten(), nn.Linear(1024, 256), RELU(), nn.Linear(256, 2 * self.latent),
        )
        self.decoder = nn.Sequential(
            nn.Linear(self.latent, 256), RELU(), nn.Linear(256, 1024), RELU(), nn.Unflatten(1, (64, 4, 4)),
            UP(64, 64, 4, 2, 1), RELU(), UP(64, 32, 4, 2, 1), RELU(), UP(32, 32, 4, 2, 1), RELU(), UP(32, 1, 4, 2, 1),
        )


class MnistConv(nn.Module):
    """A small net for digits."""

    shape, latent, count = (1, 28, 28), 20, 953_705
    squares, least = False, None

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            CONV(1, 32, 3, 2, 1), RELU(), CONV(32, 64, 3, 2, 1), RELU(), nn.Flatten(), nn.Linear(3136, 256), RELU(),
            nn.Linear(256, 2 * self.latent),
        )
        self.decoder = nn.Sequential(
            nn.Linear(self.latent, 3136), RELU(), nn.Unflatten(1, (64, 7, 7)), UP(64, 64, 3, 2, 1, 1), RELU(),
            UP(64, 32, 3, 2, 1, 1), RELU(), CONV(32, 1, 3, 1, 1),
        )


class Cell(nn.Module):
    """A residual cell in the manner of NVAE's decoder (Vahdat and Kautz, arXiv 2007.03898)."""

    def __init__(self, channels):
        super().__init__()
        wide = 3 * channels
        self.inner = nn.Sequential(
            nn.BatchNorm2d(channels), CONV(channels, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.SiLU(),
            CONV(wide, wide, 5, 1, 2, groups=wide, bias=False), nn.BatchNorm2d(wide), nn.SiLU(),
            CONV(wide, channels, 1, bias=False), nn.BatchNorm2d(channels),
        )

    def forward(self, maps):
        return maps + 0.1 * self.inner(maps)


class Residual(nn.Module):
    """Residual cells with batch norm, SiLU and depthwise windows of 5."""

    shape, latent, count = (3, 32, 32), 32, 756_259
    squares, least = True, None

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            CONV(3, 32, 3, 2, 1), Cell(32), CONV(32, 64, 3, 2, 1), Cell(64), CONV(64, 128, 3, 2, 1), Cell(128),
            nn.Flatten(), nn.Linear(2048, 2 * self.latent),
        )
        self.decoder = nn.Sequential(
            nn.Linear(self.latent, 2048), nn.Unflatten(1, (128, 4, 4)), Cell(128), UP(128, 64, 4, 2, 1), Cell(64),
            UP(64, 32, 4, 2, 1), Cell(32), UP(32, 3, 4, 2, 1),
        )


class Burgess(nn.Module):
    """The net of Burgess et al. (arXiv 1804.03599) for 32x32 pixels."""

    shape, latent, count = (1, 32, 32), 10, 469_173
    squares, least = False, None

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            CONV(1, 32, 4, 2, 1), RELU(), CONV(32, 32, 4, 2, 1), RELU(), CONV(32, 32, 4, 2, 1), RELU(), nn.Flatten(),
            nn.Linear(512, 256), RELU(), nn.Linear(256, 256), RELU(), nn.Linear(256, 2 * self.latent),
        )
        self.decoder = nn.Sequential(
            nn.Linear(self.latent, 256), RELU(), nn.Linear(256, 256), RELU(), nn.Linear(256, 512), RELU(),
            nn.Unflatten(1, (32, 4, 4)), UP(32, 32, 4, 2, 1), RELU(), UP(32, 32, 4, 2, 1), RELU(), UP(32, 1, 4, 2, 1),
        )


MODELS = {
    "world-models": WorldModels, "disentanglement": Disentanglement, "mnist-conv": MnistConv, "residual": Residual,
    "burgess": Burgess,
}
# The layout that PyTorch is faster with.
CHANNELS_FIRST = {"mnist-conv"}


class Loss(nn.Module):
    """Mean negative evidence lower bound of a minibatch, in nats per image, up to a constant."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, images):
        mean, log_variance = self.model.encoder(images).chunk(2, dim=1)
        latent = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        output = self.model.decoder(latent)
        if self.model.squares:
            reconstruction = (torch.sigmoid(output) - images).square().sum()
        else:
            reconstruction = functional.binary_cross_entropy_with_logits(output, images, reduction="sum")
        divergence = 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum(dim=1)
        if self.model.least is not None:
            divergence = divergence.clamp(min=self.model.least)
        return (reconstruction + divergence.sum()) / images.shape[0]


class Training:
    """A model, its optimiser and its data; each call is a training step."""

    def __init__(self, name, device, batch, mode):
        torch.manual_seed(1)
        # Single precision against single precision.
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
        layout = torch.contiguous_format if name in CHANNELS_FIRST else torch.channels_last
        model = MODELS[name]().to(device, memory_format=layout)
        self.parameters = sum(parameter.numel() for parameter in model.parameters())
        if self.parameters != model.count:
            sys.exit(f"{name} has {self.parameters} parameters, not {model.count}")
        # Channels last are rows of pixels in memory; seen as the other layout, they stay so.
        self.last = layout == torch.channels_last
        channels, height, width = model.shape
        shape = (height, width, channels) if self.last else model.shape
        self.images = torch.rand(max(2000, 2 * batch), *shape, device=device)
        self.order = torch.randperm(len(self.images), device=device)
        self.batch = batch
        self.place = 0
        self.optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
        loss = Loss(model)
        self.loss = torch.compile(loss, mode=mode) if mode != "eager" else loss

    def __call__(self):
        numbers = self.order[self.place : self.place + self.batch]
        self.place = (self.place + self.batch) % (len(self.images) - self.batch + 1)
        images = self.images[numbers]
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(images.permute(0, 3, 1, 2) if self.last else images)
        loss.backward()
        self.optimizer.step()
        return loss


def main():
    parser = turns.parser(__doc__, batch=100, seconds=3.0)
    parser.add_argument("--model", choices=MODELS, required=True)
    arguments = parser.parse_args()
    build = lambda: Training(arguments.model, arguments.device, arguments.batch, arguments.mode)
    turns.take_turns(arguments, build, warm_up=3, trial=2)


if __name__ == "__main__":
    main()
