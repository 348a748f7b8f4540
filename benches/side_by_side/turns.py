"""What both sides of PyTorch share: they wait for their turn, and then time training steps."""

import argparse
import json
import sys
import time

import torch


def parser(description, batch, seconds):
    """The arguments that all models take."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--batch", type=int, default=batch)
    parser.add_argument("--mode", default="eager", help="eager, or a mode of torch.compile")
    parser.add_argument("--seconds", type=float, default=seconds)
    parser.add_argument("--threads", type=int, help="[default: PyTorch's choice]")
    return parser


def take_turns(arguments, build, warm_up, trial):
    """Make `warm_up` steps of what `build` returns and print what runs; then print images a second for every line of input.

    `trial` steps say how many fill the time, so that the clock is not read in between.
    """
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    wait = torch.cuda.synchronize if arguments.device == "cuda" else lambda: None
    step = build()

    def seconds(steps):
        wait()
        start = time.perf_counter()
        for _ in range(steps):
            step()
        wait()
        return time.perf_counter() - start

    for _ in range(warm_up):
        loss = step()
    wait()
    name = torch.cuda.get_device_name() if arguments.device == "cuda" else f"CPU ({torch.get_num_threads()} threads)"
    ready = {"torch": torch.__version__, "device": name, "loss": loss.item(), "cuda": torch.cuda.is_available()}
    print(json.dumps(ready), flush=True)
    for _ in sys.stdin:
        steps = max(1, round(arguments.seconds / seconds(trial) * trial))
        print(steps * arguments.batch / seconds(steps), flush=True)
