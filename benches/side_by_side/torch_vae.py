"""The training step of `vae bench` in PyTorch: 784-500-20 tanh, Bernoulli likelihood, dynamic binarisation, Adam.

Images lie on the device, and no loss is read while the clock runs. Once ready it prints a line of JSON that says what it
runs; then, for every line on standard input, it trains for SECONDS and prints images a second.
"""

import torch
from torch import nn
from torch.nn import functional

import turns

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
    parser = turns.parser(__doc__, batch=128, seconds=1.5)
    arguments = parser.parse_args()
    build = lambda: Training(arguments.device, arguments.batch, arguments.mode)
    turns.take_turns(arguments, build, warm_up=20, trial=5)


if __name__ == "__main__":
    main()
