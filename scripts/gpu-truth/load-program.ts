/**
 * The load, in Python because PyTorch is what GPU machines have. `load MODE`: runs until its standard input closes and prints what it has done
 * so far, each time the GPU has really finished it. `latency`: measures small steps when told so. Times are CLOCK_MONOTONIC, Node's clock too.
 */
export const LOAD_PROGRAM = String.raw`
import json, sys, threading, time
import torch

def say(**what):
    print(json.dumps(what), flush=True)

def facts():
    p = torch.cuda.get_device_properties(0)
    say(kind="device", name=p.name, sms=p.multi_processor_count, major=p.major, minor=p.minor, gpus=torch.cuda.device_count(), torch=torch.__version__)

closed = threading.Event()

def load(mode):
    facts()
    threading.Thread(target=lambda: (sys.stdin.read(), closed.set()), daemon=True).start()
    done = {"bytes": 0, "flops": 0}
    if mode == "idle":
        step, gain = (lambda: time.sleep(0.05)), {}
    elif mode in ("h2d", "d2h"):
        n = 1 << 30
        host = torch.empty(n, dtype=torch.uint8, pin_memory=True)
        device = torch.empty(n, dtype=torch.uint8, device="cuda")
        step = (lambda: device.copy_(host, non_blocking=True)) if mode == "h2d" else (lambda: host.copy_(device, non_blocking=True))
        gain = {"bytes": n}
    elif mode == "d2d":
        n = 4 << 30
        a = torch.empty(n, dtype=torch.uint8, device="cuda")
        b = torch.empty(n, dtype=torch.uint8, device="cuda")
        # Each byte is read once and written once.
        step, gain = (lambda: b.copy_(a)), {"bytes": 2 * n}
    elif mode == "p2p":
        n = 1 << 30
        a = torch.empty(n, dtype=torch.uint8, device="cuda:0")
        b = torch.empty(n, dtype=torch.uint8, device="cuda:1")
        step, gain = (lambda: b.copy_(a)), {"bytes": n}
    elif mode == "matmul":
        n = 8192
        a = torch.randn(n, n, dtype=torch.bfloat16, device="cuda")
        b = torch.randn(n, n, dtype=torch.bfloat16, device="cuda")
        c = torch.empty(n, n, dtype=torch.bfloat16, device="cuda")
        step, gain = (lambda: torch.mm(a, b, out=c)), {"flops": 2 * n ** 3}
    else:
        raise SystemExit("no such load: " + mode)
    step(); torch.cuda.synchronize()
    # Batches of about 20 ms, so that what is counted is never far behind what is done; the next batch is queued before the last has ended.
    start = time.monotonic(); step(); torch.cuda.synchronize()
    batch = max(1, round(0.02 / max(1e-6, time.monotonic() - start)))
    pending = None
    say(kind="running", mode=mode)
    while not closed.is_set():
        for _ in range(batch):
            step()
        event = torch.cuda.Event(); event.record()
        if pending is not None:
            pending.synchronize()
            for key, value in gain.items():
                done[key] += batch * value
            say(kind="done", t=time.monotonic(), **done)
        pending = event

def latency():
    facts()
    small = torch.zeros(1, device="cuda")
    x = torch.randn(64, 8192, dtype=torch.bfloat16, device="cuda")
    w = torch.randn(8192, 8192, dtype=torch.bfloat16, device="cuda")
    def launch():
        small.add_(1)
    def decode():
        # Weights read once for a small batch, as a decode step does.
        for _ in range(8):
            torch.mm(x, w)
    steps = {"launch": launch, "decode": decode}
    for step in steps.values():
        for _ in range(50):
            step()
        torch.cuda.synchronize()
    say(kind="running", mode="latency")
    for line in sys.stdin:
        name, seconds = line.split()
        step, end, times = steps[name], time.monotonic() + float(seconds), []
        while time.monotonic() < end:
            start = time.perf_counter_ns()
            step()
            torch.cuda.synchronize()
            times.append(time.perf_counter_ns() - start)
        times.sort()
        at = lambda q: times[min(len(times) - 1, int(q * len(times)))] / 1000
        say(kind="latency", name=name, n=len(times), mean=sum(times) / len(times) / 1000, p50=at(0.5), p99=at(0.99))

latency() if sys.argv[1] == "latency" else load(sys.argv[2])
`;
