"""The settings of some recipes of `vae reproduce` in PyTorch, written apart from the program: where a published number is not
reached, it shows whether the setting or the program is why.

    target/side_by_side/venv/bin/python benches/side_by_side/torch_recipes.py vae-784-400-40 --data DATA/mnist

`benches/side_by_side/run` makes that environment. DATA/mnist holds the four IDX files of MNIST. Every few passes it prints
the ELBO of the training and the held-out images, at the end the bound L_K of the recipe's K or of --samples.
"""

import argparse
import gzip
import math
import pathlib
import time

import numpy
import torch
from torch import nn
from torch.nn import functional

# Hidden layers below each stochastic layer, the layer's dimensions, and what else the recipe says.
RECIPES = {
    "vae-784-400-40": dict(
        layers=[([400], 40)], activation=nn.ReLU, images=50_000, static=True, batch=100, epochs=500, glorot=False,
        rate=1e-4, epsilon=1e-8, milestones=[200, 350], factor=10 ** (-1 / 5), samples=200, bias="drawn",
    ),
    "iwae-1-layer": dict(
        layers=[([200, 200], 50)], activation=nn.Tanh, images=60_000, static=False, batch=20, epochs=3280, glorot=True,
        rate=1e-3, epsilon=1e-4, milestones=[(3**i - 1) // 2 for i in range(1, 8)], factor=10 ** (-1 / 7), samples=5000,
        bias="mean-image",
    ),
    "iwae-2-layer": dict(
        layers=[([200, 200], 100), ([100, 100], 50)], activation=nn.Tanh, images=60_000, static=False, batch=20,
        epochs=3280, glorot=True, rate=1e-3, epsilon=1e-4, milestones=[(3**i - 1) // 2 for i in range(1, 8)],
        factor=10 ** (-1 / 7), samples=5000,
        bias="mean-image",
    ),
}


def images(folder, part):
    """Grey pixels from 0 to 1, one image a row."""
    path = next(pathlib.Path(folder).glob(f"{part}-images-idx3-ubyte*"))
    data = (gzip.open if path.suffix == ".gz" else open)(path, "rb").read()
    return torch.from_numpy(numpy.frombuffer(data, numpy.uint8, offset=16).reshape(-1, 784).astype(numpy.float32) / 255)


def hidden_layers(width, widths, activation):
    layers = []
    for out in widths:
        layers += [nn.Linear(width, out), activation()]
        width = out
    return nn.Sequential(*layers), width


class Gaussian(nn.Module):
    """Hidden layers, then a mean and a log-variance."""

    def __init__(self, width, widths, latent, activation):
        super().__init__()
        self.hidden, width = hidden_layers(width, widths, activation)
        self.mean, self.log_variance = nn.Linear(width, latent), nn.Linear(width, latent)

    def forward(self, values):
        values = self.hidden(values)
        return self.mean(values), self.log_variance(values)


def log_normal(z, mean, log_variance):
    terms = math.log(2 * math.pi) + log_variance + (z - mean).square() * torch.exp(-log_variance)
    return -0.5 * terms.sum(dim=-1)


class Vae(nn.Module):
    """The ELBO of each image at one sample of its latents."""

    def __init__(self, layers, activation):
        super().__init__()
        widths = [784] + [latent for _, latent in layers]
        self.up = nn.ModuleList(
            Gaussian(width, hidden, latent, activation) for width, (hidden, latent) in zip(widths, layers)
        )
        hidden, latent = layers[0]
        self.down, width = hidden_layers(latent, hidden[::-1], activation)
        self.output = nn.Linear(width, 784)
        self.between = nn.ModuleList(
            Gaussian(upper, hidden[::-1], lower, activation)
            for (_, lower), (hidden, upper) in zip(layers, layers[1:])
        )

    def draw(self, pixels):
        """log p(x|h), log q(h|x) - log p(h) at a sample, and the analytic divergence, where there is one layer."""
        below, drawn, divergence = pixels, [], 0.0
        for layer in self.up:
            mean, log_variance = layer(below)
            below = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
            divergence = divergence + log_normal(below, mean, log_variance)
            drawn.append(below)
        for lower, upper, layer in zip(drawn, drawn[1:], self.between):
            divergence = divergence - log_normal(lower, *layer(upper))
        zero = torch.zeros_like(drawn[-1])
        divergence = divergence - log_normal(drawn[-1], zero, zero)
        logits = self.output(self.down(drawn[0]))
        loss = functional.binary_cross_entropy_with_logits(logits, pixels, reduction="none").sum(dim=-1)
        analytic = None
        if len(self.up) == 1:
            analytic = 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum(dim=-1)
        return -loss, divergence, analytic

    def elbo(self, pixels):
        likelihood, divergence, analytic = self.draw(pixels)
        return likelihood - (divergence if analytic is None else analytic)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", choices=RECIPES)
    parser.add_argument("--data", required=True, help="the folder of MNIST's four files")
    parser.add_argument("--epochs", type=int, help="passes, where not all of the recipe's")
    parser.add_argument("--every", type=int, default=10, help="passes between two lines")
    parser.add_argument("--epsilon", type=float, help="Adam's, where not the recipe's")
    parser.add_argument("--output-bias", choices=["drawn", "mean-image"], help="where not the recipe's")
    parser.add_argument("--samples", type=int, help="K, where not the recipe's")
    parser.add_argument("--evaluate", type=int, default=10_000, help="held-out images to weigh the samples of")
    parser.add_argument("--seed", type=int, default=1)
    flags = parser.parse_args()
    recipe = RECIPES[flags.recipe]
    torch.manual_seed(flags.seed)
    train, test = images(flags.data, "train")[: recipe["images"]], images(flags.data, "t10k")
    if recipe["static"]:
        train = torch.bernoulli(train)
    test = torch.bernoulli(test)
    model = Vae(recipe["layers"], recipe["activation"])
    if recipe["glorot"]:
        for module in model.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
    bias = flags.output_bias or recipe["bias"]
    if bias == "mean-image":
        mean = train.mean(dim=0).clamp(0.001, 0.999)
        model.output.bias.data = torch.log(mean / (1 - mean))
    epsilon = flags.epsilon or recipe["epsilon"]
    optimizer = torch.optim.Adam(model.parameters(), recipe["rate"], eps=epsilon, fused=True)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, recipe["milestones"], recipe["factor"])
    settings = f"Adam's epsilon {epsilon}, output bias {bias}, seed {flags.seed}"
    print(f"{flags.recipe}, PyTorch {torch.__version__}, {settings}", flush=True)
    for epoch in range(1, (flags.epochs or recipe["epochs"]) + 1):
        start, total = time.monotonic(), 0.0
        for numbers in torch.randperm(len(train)).split(recipe["batch"]):
            pixels = train[numbers] if recipe["static"] else torch.bernoulli(train[numbers])
            loss = -model.elbo(pixels).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total -= loss.item() * len(numbers)
        schedule.step()
        if epoch % flags.every == 0:
            with torch.no_grad():
                held_out = model.elbo(test).mean().item()
            seconds = time.monotonic() - start
            print(
                f"epoch {epoch}: ELBO {total / len(train):.2f}, held out {held_out:.2f} nats per image, "
                f"{len(train) / seconds:.0f} images/s",
                flush=True,
            )
    samples, chosen = flags.samples or recipe["samples"], test[: flags.evaluate]
    with torch.no_grad():
        bound = torch.full((len(chosen),), -math.inf)
        for _ in range(samples):
            likelihood, divergence, _ = model.draw(chosen)
            bound = torch.logaddexp(bound, likelihood - divergence)
    bound = bound - math.log(samples)
    error = bound.std().item() / math.sqrt(len(bound))
    print(f"L_{samples} of {len(chosen)} held-out images: {bound.mean().item():.2f} ± {error:.2f} nats per image")


if __name__ == "__main__":
    main()
