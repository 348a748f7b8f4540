"""The training step of `vae bench` in PyTorch: 784-500-20 tanh, Bernoulli likelihood, dynamic binarisation, Adam.

Images lie on the device, and no loss is read while the clock runs. Once ready it prints a line of JSON that says what it
runs; then, for every line on standard input, it trains for SECONDS and prints images a second.
"""

import argparse
import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional

IMAGES = 8192
PIXELS, HIDDEN, LATENT = 784, 500, 20


class Vae(nn.Module):
    """Mean negative evidence lower bound of a minibatch, in nats per image."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(PIXELS, HIDDEN)
        self.posterior = nn.Linear(HIDDEN, 2 * LATENT)
        self.decoder = nn.Linear(LATENT, HIDDEN)
        self.output = nn.Linear(HIDDEN, PIXELS)

    def forward(self, images):
        mean, log_variance = self.posterior(torch.tanh(self.encoder(images))).chunk(2, dim=1)
        latent = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        logits = self.output(torch.tanh(self.decoder(latent)))
        reconstruction = functional.binary_cross_entropy_with_logits(logits, images, reduction="sum")
        divergence = 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum()
        return (reconstruction + divergence) / images.shape[0]


class Training:
    """A model, its optimiser and its data; each call is a training step."""

    def __init__(self, device, batch, mode):
        torch.manual_seed(1)
        # Single precision against single precision.
        torch.backends.cuda.matmul.allow_tf32 = False
        self.images = torch.rand(IMAGES, PIXELS, device=device)
        self.order = torch.randperm(IMAGES, device=device)
        self.batch = batch
        self.place = 0
        model = Vae().to(device)
        self.optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
        self.loss = torch.compile(model, mode=mode) if mode != "eager" else model

    def __call__(self):
        numbers = self.order[self.place : self.place + self.batch]
        self.place = (self.place + self.batch) % (IMAGES - self.batch + 1)
        images = torch.bernoulli(self.images[numbers])
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(images)
        loss.backward()
        self.optimizer.step()
        return loss


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--mode", default="eager", help="eager, or a mode of torch.compile")
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--threads", type=int, help="[default: PyTorch's choice]")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    wait = torch.cuda.synchronize if arguments.device == "cuda" else lambda: None

    step = Training(arguments.device, arguments.batch, arguments.mode)
    for _ in range(20):
        loss = step()
    wait()
    name = torch.cuda.get_device_name() if arguments.device == "cuda" else f"CPU ({torch.get_num_threads()} threads)"
    ready = {"torch": torch.__version__, "device": name, "loss": loss.item(), "cuda": torch.cuda.is_available()}
    print(json.dumps(ready), flush=True)

    for _ in sys.stdin:
        # A short run says how many steps fill the time, so that the clock is not read in between.
        wait()
        start = time.perf_counter()
        for _ in range(5):
            step()
        wait()
        steps = max(1, round(arguments.seconds / (time.perf_counter() - start) * 5))
        start = time.perf_counter()
        for _ in range(steps):
            step()
        wait()
        print(steps * arguments.batch / (time.perf_counter() - start), flush=True)


if __name__ == "__main__":
    main()
