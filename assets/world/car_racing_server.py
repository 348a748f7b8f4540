"""CarRacing-v3 of gymnasium for vae, over standard input and output:

    vae world drive RUN --env "python3 car_racing_server.py"

The number after the script is the number of environments; 1 without it.
Needs: pip install "gymnasium[box2d]==1.4.0"
"""
import json
import os
import signal
import struct
import sys

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
# Messages of libraries must not reach the pipe of the answers.
answers = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)
# At an interrupt vae finishes its step, then closes this program.
signal.signal(signal.SIGINT, signal.SIG_IGN)

import gymnasium
import numpy

environments = [gymnasium.make("CarRacing-v3") for _ in range(int((sys.argv[1:] or ["1"])[0]))]
header = {"protocol": 1, "observation": [96, 96, 3], "actions": 3, "low": [-1, 0, 0], "high": [1, 1, 1],
          "envs": len(environments), "version": f"gymnasium {gymnasium.__version__} CarRacing-v3"}
answers.write(json.dumps(header).encode() + b"\n")
answers.flush()


def read(layout):
    data = sys.stdin.buffer.read(struct.calcsize(layout))
    return struct.unpack(layout, data) if len(data) == struct.calcsize(layout) else sys.exit()


def answer(number, frame, reward=0.0, terminated=False, truncated=False):
    frame = frame.tobytes()
    answers.write(struct.pack("<IdBBI", number, reward, terminated, truncated, len(frame)) + frame)
    answers.flush()


while (operation := read("<B")[0]) != 3:
    if operation == 1:
        number, seed = read("<IQ")
        answer(number, environments[number].reset(seed=seed)[0])
    else:
        for request in [read("<I3f") for _ in range(read("<I")[0])]:
            frame, reward, terminated, truncated, _ = environments[request[0]].step(numpy.float32(request[1:]))
            answer(request[0], frame, reward, terminated, truncated)
