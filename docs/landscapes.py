"""Draws twelve landscapes of about 12 megapixels into a folder, for docs/gallery.md.

    python3 landscapes.py pictures

Needs numpy and Pillow. The sizes are those of common cameras; the seeds are fixed.
"""

import pathlib
import sys

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIZES = [
    (4000, 3000), (4032, 3024), (3000, 4000), (4240, 2832), (4608, 2592), (3024, 4032),
    (4000, 3000), (4288, 2848), (3888, 3072), (4032, 3024), (4256, 2832), (3456, 3456),
]


def sky(random, width, height, night):
    top = np.array([random.uniform(40, 140), random.uniform(90, 190), random.uniform(180, 250)])
    low = np.array([random.uniform(200, 255), random.uniform(160, 230), random.uniform(120, 210)])
    if night:
        top, low = np.array([25, 25, 70]), np.array([240, 120, 60])
    down = np.linspace(0, 1, height)[:, None, None]
    return Image.fromarray(((top * (1 - down) + low * down) * np.ones((height, width, 1))).astype(np.uint8))


def hills(random, draw, width, height, green):
    for layer in range(3):
        base = height * (0.5 + 0.14 * layer)
        colour = np.array([70, 110, 70] if green else [150, 110, 80]) * (1 - 0.25 * layer)
        colour = tuple(int(value) for value in colour + random.uniform(-15, 15, 3))
        x = np.linspace(0, 1, 60)
        y = base + height * 0.1 * sum(np.sin(2 * np.pi * (x * n + random.uniform())) / n for n in (1, 2, 3))
        draw.polygon([(0, height), *zip(x * width, y), (width, height)], fill=colour)


def house(random, draw, x, y, side):
    wall = tuple(int(value) for value in random.uniform(120, 230, 3))
    draw.rectangle([x, y - side, x + side * 1.3, y], fill=wall)
    roof = [(x - side * 0.1, y - side), (x + side * 0.65, y - side * 1.7), (x + side * 1.4, y - side)]
    draw.polygon(roof, fill=(150, 50, 40))
    draw.rectangle([x + side * 0.5, y - side * 0.5, x + side * 0.8, y], fill=(70, 45, 30))


def tree(random, draw, x, y, side):
    draw.rectangle([x + side * 0.45, y - side * 0.6, x + side * 0.6, y], fill=(80, 55, 35))
    draw.ellipse([x, y - side * 1.6, x + side, y - side * 0.4], fill=(30, int(random.uniform(80, 130)), 40))


def landscape(index, width, height):
    random = np.random.default_rng(100 + index)
    picture = sky(random, width, height, night=index % 4 == 3)
    draw = ImageDraw.Draw(picture)
    side = min(width, height)
    x, y = random.uniform(0.15, 0.85) * width, random.uniform(0.1, 0.4) * height
    radius = random.uniform(0.05, 0.13) * side
    sun = (255, 245, int(random.uniform(150, 230)))
    draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=sun)
    hills(random, draw, width, height, green=index % 3 != 0)
    for _ in range(int(random.integers(1, 4))):
        x, y = random.uniform(0.1, 0.8) * width, height * random.uniform(0.72, 0.85)
        size = side * random.uniform(0.1, 0.18)
        (house if random.uniform() < 0.5 else tree)(random, draw, x, y, size)
    pixels = np.asarray(picture.filter(ImageFilter.GaussianBlur(3))).astype(np.int16)
    noise = np.kron(random.normal(0, 6, (height // 2, width // 2, 3)), np.ones((2, 2, 1)))
    return Image.fromarray((pixels + noise.astype(np.int16)).clip(0, 255).astype(np.uint8))


folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "pictures")
folder.mkdir(exist_ok=True)
for index, (width, height) in enumerate(SIZES):
    landscape(index, width, height).save(folder / f"{index:02}.jpg", quality=92)
