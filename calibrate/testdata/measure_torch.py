#!/usr/bin/env python3
"""Measure image classifiers and two transformers in PyTorch on a GPU: time and energy of an inference.

What it writes is the truth that predictions are judged by: a CSV whose columns model, batch and measured_s
`onnxcost validate --measured` reads, and with --export the graphs of the same networks without their weights.

RUNBOOK for a GPU machine that is at hand for a quarter of an hour, with PyTorch on it. Nothing of it has been run on a
GPU yet; the minutes are budgets, which the programs keep.

  1. Before, on any Linux machine with Go and a C compiler (no CUDA is needed to build):
         CGO_ENABLED=1 go build -o onnxcost-gpu ./cmd/onnxcost
     Copy onnxcost-gpu and this file to the GPU machine. OUT is a directory whose files are brought back.
  2. There, first the calibration, while the card is cool: one minute, then three more for better figures of power.
         ./onnxcost-gpu calibrate --backend cuda --for 60s --samples $OUT/gpu-60s.txt -o $OUT/gpu-60s.yaml --plot $OUT/gpu-60s.png
         ./onnxcost-gpu calibrate --backend cuda --for 180s --seed 2 --samples $OUT/gpu.txt -o $OUT/gpu.yaml --plot $OUT/gpu.png
     "no cuBLASLt" means that the library was not found: --cuda-lib DIR, with the directory of the file that
         python3 -c "import nvidia, pathlib; print(*pathlib.Path(list(nvidia.__path__)[0]).rglob('libcublasLt.so.*'))"
     prints. Exit 3 with samples written means that the card failed on the way, Ctrl-C and SIGTERM end it early: the
     samples are good in both cases, bring them back.
  3. Then this script, seven minutes, about one for each network; it writes every row as soon as it has it, and goes on
     where it stopped when it is called again with the same file (--models resnet50,gpt2 chooses):
         python3 measure_torch.py --minutes 7 --out $OUT/torch.csv
  4. With the time that is left, the graphs of the networks that were measured. This needs no GPU but the same packages
     (and onnx, onnxscript), here or elsewhere:
         python3 measure_torch.py --export $OUT/graphs --minutes 2 --out $OUT/torch.csv
         tar -C $OUT -czf $OUT/graphs.tgz graphs && rm -r $OUT/graphs
  5. Bring $OUT back. Nothing else of the machine is needed. On any machine:
         onnxcost calibrate --from gpu.txt -o gpu.yaml --plot gpu.svg
         python3 measure_torch.py --split torch.csv
         onnxcost validate --measured torch-fp16-eager.csv graphs/*.onnx --device gpu.yaml --runtime eager --precision fp16
     and the same for every precision. The rows of mode graph have no dispatch from the host in them, which the runtime
     eager predicts: they say what the kernels alone take. A fit must never see the rows that it is judged by.

No setting of the card is changed. Networks have random weights: nothing is downloaded. Batch normalisation is given the
statistics of random inputs first, so that activations keep the size that trained networks have and stay finite in FP16.
The rules for time and energy are those of the calibration: batches of runs between events, ten samples and 0.2 s or the
share of the time, the median; energy from NVML's counter over windows of steady load, the instantaneous reading beside
it; idle power with the context alive. What cannot be measured is an empty field, never 0.
"""

import argparse
import csv
import math
import os
import random
import statistics
import sys
import time

FIELDS = ["model", "batch", "measured_s", "precision", "mode", "p10_s", "p90_s", "runs", "power_w", "energy_j", "net_energy_j",
          "power_source", "instant_w", "temperature_c", "sm_clock_mhz", "throttle", "peak_memory_bytes", "finite"]
PRECISIONS = ["fp32", "tf32", "fp16", "bf16"]
MODES = ["eager", "graph"]

# In the order in which they are worth having, should the time run out: families first, sizes later.
VISION = ["resnet50", "vgg16", "mobilenet_v2", "densenet121", "efficientnet_b0", "vit_b_16", "inception_v3", "convnext_tiny",
          "alexnet", "resnet18", "squeezenet1_1", "swin_t", "googlenet", "regnet_y_800mf", "shufflenet_v2_x1_0", "mnasnet1_0",
          "mobilenet_v3_large", "resnext50_32x4d", "wide_resnet50_2", "maxvit_t", "resnet152", "vgg19_bn", "resnet101",
          "efficientnet_v2_s", "convnext_base", "vit_l_16"]
TEXT = ["bert-base", "gpt2"]
SEQUENCE = 128


def order():
    """The transformers go early, after the first few image networks."""
    return VISION[:3] + TEXT + VISION[3:]


# ---- energy ----------------------------------------------------------------------------------------------------------


class Meter:
    """NVML's sensors of one card. Every reading is None where the card has no sensor."""

    THROTTLE = {0x2: "applications-clocks", 0x4: "sw-power-cap", 0x8: "hw-slowdown", 0x10: "sync-boost", 0x20: "sw-thermal",
                0x40: "hw-thermal", 0x80: "hw-power-brake", 0x100: "display-clocks"}
    INSTANT = 186  # NVML_FI_DEV_POWER_INSTANT, milliwatts

    def __init__(self, pci):
        self.nvml = self.handle = self.source = None
        try:
            import pynvml

            pynvml.nvmlInit()
            self.handle = pynvml.nvmlDeviceGetHandleByPciBusId(pci) if pci else pynvml.nvmlDeviceGetHandleByIndex(0)
            self.nvml = pynvml
        except Exception as e:  # the package or the library is missing, or refuses
            print(f"power is unavailable: {e}", file=sys.stderr)

    def _get(self, f):
        if self.nvml is None:
            return None
        try:
            return f()
        except Exception:
            return None

    def energy_j(self):
        v = self._get(lambda: self.nvml.nvmlDeviceGetTotalEnergyConsumption(self.handle))
        return None if v is None else v / 1e3

    def instant_w(self):
        def read():
            value = self.nvml.nvmlDeviceGetFieldValues(self.handle, [self.INSTANT])[0]
            if value.nvmlReturn != self.nvml.NVML_SUCCESS:
                return None
            return value.value.uiVal / 1e3

        w = self._get(read)
        if w is None or w <= 0:
            w = self._get(lambda: self.nvml.nvmlDeviceGetPowerUsage(self.handle) / 1e3)
        return w

    def state(self):
        n = self.nvml
        mask = self._get(lambda: n.nvmlDeviceGetCurrentClocksThrottleReasons(self.handle)) or 0
        return {
            "temperature_c": self._get(lambda: n.nvmlDeviceGetTemperature(self.handle, n.NVML_TEMPERATURE_GPU)),
            "sm_clock_mhz": self._get(lambda: n.nvmlDeviceGetClockInfo(self.handle, n.NVML_CLOCK_SM)),
            "throttle": "+".join(name for bit, name in self.THROTTLE.items() if mask & bit),
        }

    def limit_w(self):
        v = self._get(lambda: self.nvml.nvmlDeviceGetEnforcedPowerLimit(self.handle))
        return None if v is None else v / 1e3

    def watch(self, seconds, work):
        """Watts by the counter, mean instantaneous watts, and seconds per run, over a window in which work() is called again
        and again; it returns the number of runs that it did, and takes a few tens of milliseconds."""
        steps, readings, integral = [], [], 0.0
        last_poll = last_e = last_w = None
        counter = self.energy_j() is not None
        first = began = None
        runs = 0
        start = time.perf_counter()
        limit = start + seconds + 3
        while True:
            runs += work()
            now = time.perf_counter()
            if last_poll is not None and now - last_poll < 0.05:
                continue
            e, w = self.energy_j(), self.instant_w()
            now = time.perf_counter()
            counter = counter and (first is not None or now - start < 1)  # one that stands still is none
            moved = not counter or (last_e is not None and e != last_e)
            if first is None:
                if moved:
                    first, began, runs = now, e, 0
                    steps = [(0.0, 0.0)]
            else:
                if w is not None:
                    readings.append(w)
                    integral += (w + (last_w if last_w is not None else w)) / 2 * (now - last_poll)
                if moved and counter:
                    steps.append((now - first, e - began))
                if now - first >= seconds and moved:
                    break
            last_poll, last_e, last_w = now, e, w
            if now > limit:
                counter = False
                if first is None:
                    return None, None, None
                break
        length = now - first
        self.source = "energy-counter" if counter else "integrated-power"
        watts = slope(steps) if counter else (integral / length if readings and length > 0 else None)
        return watts, (statistics.fmean(readings) if readings else None), (length / runs if runs else None)


def slope(points):
    """The least-squares line through the moments at which the counter was seen to have moved."""
    if len(points) < 4:
        (x0, y0), (x1, y1) = points[0], points[-1]
        return (y1 - y0) / (x1 - x0) if x1 > x0 else None
    n = len(points)
    mx, my = sum(p[0] for p in points) / n, sum(p[1] for p in points) / n
    return sum((x - mx) * (y - my) for x, y in points) / sum((x - mx) ** 2 for x, _ in points)


# ---- networks --------------------------------------------------------------------------------------------------------


def fallback_transformer(torch, layers, width, heads, vocabulary):
    nn = torch.nn

    class Text(nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens = nn.Embedding(vocabulary, width)
            self.places = nn.Embedding(512, width)
            layer = nn.TransformerEncoderLayer(width, heads, 4 * width, 0.0, "gelu", batch_first=True, norm_first=False)
            self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)

        def forward(self, ids):
            return self.layers(self.tokens(ids) + self.places.weight[: ids.shape[1]])

    return Text()


def build(torch, name, device="cuda"):
    """The network in evaluation mode, and a function that draws inputs of a batch size and type."""
    with torch.device(device):
        if name in TEXT:
            vocabulary = 30522 if name == "bert-base" else 50257
            model = None
            try:
                import transformers

                if name == "bert-base":
                    inner = transformers.BertModel(transformers.BertConfig())
                else:
                    inner = transformers.GPT2Model(transformers.GPT2Config(use_cache=False))

                class Hidden(torch.nn.Module):
                    """The last hidden state alone: graphs and exporters want tensors."""

                    def __init__(self):
                        super().__init__()
                        self.inner = inner

                    def forward(self, ids):
                        return self.inner(ids, return_dict=True).last_hidden_state

                model = Hidden().eval()
                with torch.inference_mode():
                    model(torch.zeros(1, SEQUENCE, dtype=torch.int64))
            except Exception as e:
                print(f"{name}: transformers does not build it ({e}); a plain encoder of the same size takes its place", file=sys.stderr)
                model = fallback_transformer(torch, 12, 768, 12, vocabulary).eval()

            def inputs(batch, dtype):
                return torch.randint(0, vocabulary, (batch, SEQUENCE), device=device)

            return model.eval(), inputs
        import torchvision

        extra = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
        if name in ("googlenet", "inception_v3"):
            extra["aux_logits"] = False
        model = getattr(torchvision.models, name)(weights=None, **extra)
    side = 299 if name == "inception_v3" else 224

    def inputs(batch, dtype):
        return torch.randn(batch, 3, side, side, device=device, dtype=dtype)

    if device == "cuda":
        settle_norms(torch, model, inputs)
    return model.eval(), inputs


def settle_norms(torch, model, inputs):
    """Gives batch normalisation the statistics of random inputs."""
    norms = [m for m in model.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    if not norms:
        return
    for m in model.modules():
        if isinstance(m, torch.nn.Dropout):
            m.eval()
    model.eval()
    for m in norms:
        m.reset_running_stats()
        m.momentum = None  # the plain mean over batches
        m.train()
    with torch.no_grad():
        for _ in range(2):
            model(inputs(16, torch.float32))


# ---- measuring -------------------------------------------------------------------------------------------------------


def time_runs(torch, run, share):
    """Median, p10 and p90 of seconds per run, and the runs: batches of at least 10 ms between two events."""
    for _ in range(3):
        run()
    torch.cuda.synchronize()
    begin = time.perf_counter()
    run()
    torch.cuda.synchronize()
    one = max(1e-6, time.perf_counter() - begin)
    n = max(1, math.ceil(0.01 / one))
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    samples, total, begin = [], 0.0, time.perf_counter()
    while True:
        start.record()
        for _ in range(n):
            run()
        end.record()
        end.synchronize()
        t = start.elapsed_time(end) / 1e3
        samples.append(t / n)
        total += t
        if len(samples) >= 10 and total >= 0.2:
            s = sorted(samples)
            if (s[3 * len(s) // 4] - s[len(s) // 4]) / statistics.median(s) <= 0.01 * math.sqrt(len(s)):
                break
        spent = time.perf_counter() - begin
        if spent > share and len(samples) >= 10 or spent > 3 * share and len(samples) >= 3:
            break
    s = sorted(samples)
    return statistics.median(s), s[len(s) // 10], s[min(len(s) - 1, 9 * len(s) // 10)], n * len(samples)


def graphed(torch, model, x):
    """The network as a CUDA graph; the replay is the run."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            model(x)
    torch.cuda.current_stream().wait_stream(side)
    torch.cuda.synchronize()
    g = torch.cuda.CUDAGraph()
    with torch.cuda.graph(g):
        out = model(x)
    return g, out


def measure(torch, meter, model, x, mode, options, idle):
    row = {}
    torch.cuda.reset_peak_memory_stats()
    if mode == "graph":
        g, out = graphed(torch, model, x)
        run = g.replay
        run()
    else:
        def run():
            return model(x)

        out = run()
    torch.cuda.synchronize()
    row["finite"] = int(bool(torch.isfinite(out).all()))
    t, p10, p90, runs = time_runs(torch, run, options.share)
    row.update(measured_s=t, p10_s=p10, p90_s=p90, runs=runs, peak_memory_bytes=torch.cuda.max_memory_allocated())
    if meter.nvml is not None and options.energy_seconds > 0:
        n = max(1, math.ceil(0.02 / t))
        fence = [torch.cuda.Event(), torch.cuda.Event()]
        for f in fence:
            f.record()
        at = 0

        def work():
            """One batch more; the one before the last has ended, so that the card never waits and the queue stays short."""
            nonlocal at
            fence[at % 2].synchronize()
            for _ in range(n):
                run()
            fence[at % 2].record()
            at += 1
            return n

        until = time.perf_counter() + min(0.5, options.energy_seconds / 3)
        while time.perf_counter() < until:
            work()
        row.update(meter.state())
        watts, instant, per = meter.watch(options.energy_seconds, work)
        torch.cuda.synchronize()
        if watts and per:
            row.update(power_w=watts, energy_j=watts * per, power_source=meter.source)
            if idle:
                row["net_energy_j"] = (watts - idle) * per
        if instant:
            row["instant_w"] = instant
            if watts and abs(instant / watts - 1) > 0.05:
                print(f"  instantaneous power is {instant / watts - 1:+.0%} off the energy counter", file=sys.stderr)
    return row


def export(torch, model, inputs, name, directory):
    """Writes the graph without the weights: they go to a file beside it, which is deleted."""
    import onnx

    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, name + ".onnx")
    x = inputs(2, torch.float32)
    try:
        batch = torch.export.Dim("batch", min=1, max=1024)
        program = torch.onnx.export(model, (x,), dynamo=True, dynamic_shapes=({0: batch},), input_names=["input"], output_names=["output"], verbose=False)
        proto = program.model_proto
    except Exception:
        import io

        buffer = io.BytesIO()
        torch.onnx.export(model, (x,), buffer, dynamo=False, input_names=["input"], output_names=["output"], dynamic_axes={"input": {0: "batch"}, "output": {0: "batch"}})
        proto = onnx.load_from_string(buffer.getvalue())
    data = os.path.join(directory, name + ".data")
    if os.path.exists(data):
        os.remove(data)  # saving would append to it
    onnx.save_model(proto, path, save_as_external_data=True, all_tensors_to_one_file=True, location=name + ".data", size_threshold=1024)
    if os.path.exists(data):
        os.remove(data)


def conditions(torch, meter, idle):
    p = torch.cuda.get_device_properties(0)
    facts = {"device": p.name, "sms": p.multi_processor_count, "memory_bytes": p.total_memory, "torch": torch.__version__,
             "cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version(), "cudnn_benchmark": torch.backends.cudnn.benchmark,
             "limit_w": meter.limit_w(), "idle_w": None if idle is None else round(idle, 2), "date": time.strftime("%Y-%m-%d")}
    for package in ("torchvision", "transformers"):
        try:
            facts[package] = __import__(package).__version__
        except Exception:
            facts[package] = None
    if meter.nvml is not None:
        facts["driver"] = meter._get(meter.nvml.nvmlSystemGetDriverVersion)
    return facts


def alive(torch):
    """Whether the card still works: some errors, of a recording that a network does not allow say, pass; others stay."""
    try:
        torch.cuda.synchronize()
        return float(torch.ones(1, device="cuda").sum()) == 1
    except Exception:
        return False


def need(package):
    """The package, or the end of the program with a sentence."""
    try:
        return __import__(package)
    except ImportError as e:
        sys.exit(f"{package} is needed: {e}")


def set_precision(torch, name):
    tf32 = name == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32
    return {"fp16": torch.float16, "bf16": torch.bfloat16}.get(name, torch.float32)


def pci_of(torch):
    try:
        p = torch.cuda.get_device_properties(0)
        return f"{p.pci_domain_id:08x}:{p.pci_bus_id:02x}:{p.pci_device_id:02x}.0"
    except Exception:
        return None


def sweep(options):
    torch = need("torch")
    if not torch.cuda.is_available():
        sys.exit("no GPU that PyTorch can use")
    torch.manual_seed(options.seed)
    deadline = time.perf_counter() + options.minutes * 60
    torch.zeros(1, device="cuda")
    torch.cuda.synchronize()
    meter = Meter(pci_of(torch))
    idle = None
    if meter.nvml is not None:
        time.sleep(1)

        def rest():
            time.sleep(0.02)
            return 1

        idle, _, _ = meter.watch(2.5, rest)
    names = options.models.split(",") if options.models else order()
    jobs = [(b, p, m) for b in options.batches for p in options.precisions for m in options.modes]
    fresh = not os.path.exists(options.out) or os.path.getsize(options.out) == 0
    have = set() if fresh else {(r["model"], r["batch"], r["precision"], r["mode"]) for r in rows_of(options.out)}
    with open(options.out, "a", newline="") as f:
        if fresh:
            for key, value in conditions(torch, meter, idle).items():
                f.write(f"# {key}: {'unavailable' if value is None else value}\n")
        w = csv.DictWriter(f, FIELDS, lineterminator="\n")
        if fresh:
            w.writeheader()
        done = 0
        for i, name in enumerate(names):
            todo = [j for j in jobs if (name + ".onnx", str(j[0]), j[1], j[2]) not in have]
            if not todo:
                continue
            if time.perf_counter() > deadline:
                print(f"the time is over: {', '.join(names[i:])} left out", file=sys.stderr)
                break
            try:
                set_precision(torch, "fp32")
                model, inputs = build(torch, name)
            except Exception as e:
                print(f"{name} is left out: {e}", file=sys.stderr)
                continue
            random.Random(f"{options.seed} {name}").shuffle(todo)
            todo.sort(key=lambda j: PRECISIONS.index(j[1]))  # FP32 and TF32 first: types are only ever narrowed
            for batch, precision, mode in todo:
                left = deadline - time.perf_counter()
                if left < 0:
                    break
                row = {"model": name + ".onnx", "batch": batch, "precision": precision, "mode": mode}
                try:
                    dtype = set_precision(torch, precision)
                    model.to(dtype)
                    with torch.inference_mode():
                        row.update(measure(torch, meter, model, inputs(batch, dtype), mode, options, idle))
                except torch.cuda.OutOfMemoryError:
                    print(f"{name} at batch {batch}, {precision}, {mode}: out of memory", file=sys.stderr)
                    torch.cuda.empty_cache()
                    continue
                except Exception as e:
                    first = (str(e).splitlines() or [type(e).__name__])[0]
                    print(f"{name} at batch {batch}, {precision}, {mode}: {first}", file=sys.stderr)
                    if not alive(torch):
                        sys.exit("the card failed; the rows so far are written")
                    continue
                w.writerow({k: (f"{v:.6g}" if isinstance(v, float) else v) for k, v in row.items()})
                f.flush()
                done += 1
                energy = f", {row['energy_j']:.3g} J" if "energy_j" in row else ""
                print(f"{name} batch {batch} {precision} {mode}: {row['measured_s'] * 1e3:.3f} ms{energy}; {left / 60:.1f} min left", file=sys.stderr)
            del model
            torch.cuda.empty_cache()
    print(f"{done} rows in {options.out}", file=sys.stderr)


def rows_of(path):
    with open(path, newline="") as f:
        return list(csv.DictReader(x for x in f if not x.startswith("#")))


def export_all(options):
    """The graphs of the networks in the CSV, or of all where there is none."""
    torch = need("torch")
    measured = {r["model"].removesuffix(".onnx") for r in rows_of(options.out)} if os.path.exists(options.out) else set(order())
    deadline = time.perf_counter() + options.minutes * 60
    for name in order():
        if name not in measured or os.path.exists(os.path.join(options.export, name + ".onnx")):
            continue
        if time.perf_counter() > deadline:
            print("the time is over: graphs are left out", file=sys.stderr)
            break
        try:
            model, inputs = build(torch, name, "cpu")
            with torch.no_grad():
                export(torch, model, inputs, name, options.export)
            print(f"{name}.onnx", file=sys.stderr)
        except Exception as e:
            print(f"{name}: no graph: {(str(e).splitlines() or [type(e).__name__])[0]}", file=sys.stderr)


def split(path):
    """One file per precision and mode, as validate takes them. Rows whose results were not finite are left out: arithmetic
    on NaN is not the network's."""
    if not os.path.exists(path):
        sys.exit(f"{path}: no such file")
    with open(path, newline="") as f:
        head = [x for x in f if x.startswith("#")]
    rows = rows_of(path)
    base, ext = os.path.splitext(path)
    for precision in PRECISIONS:
        for mode in MODES:
            these = [r for r in rows if r["precision"] == precision and r["mode"] == mode]
            some = [r for r in these if r["finite"] != "0"]
            if len(some) < len(these):
                print(f"{precision} {mode}: {len(these) - len(some)} rows with results that are not finite are left out")
            if not some:
                continue
            with open(f"{base}-{precision}-{mode}{ext}", "w", newline="") as f:
                f.writelines(head)
                w = csv.DictWriter(f, FIELDS, lineterminator="\n")
                w.writeheader()
                w.writerows(some)
            print(f"{base}-{precision}-{mode}{ext}: {len(some)} rows")


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--out", default="torch.csv", help="the CSV; rows that it has already are not measured again")
    p.add_argument("--minutes", type=float, default=12, help="time for everything")
    p.add_argument("--models", default="", help="names, comma-separated; default: all, in order of worth")
    p.add_argument("--batches", default="1,8,32,128")
    p.add_argument("--precisions", default=",".join(PRECISIONS))
    p.add_argument("--modes", default=",".join(MODES))
    p.add_argument("--share", type=float, default=0.3, help="seconds of timing per row")
    p.add_argument("--energy-seconds", type=float, default=1.0, help="window of energy per row; 0 for none")
    p.add_argument("--export", default="", help="only write the graphs without weights to this directory; needs no GPU")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--split", default="", metavar="CSV", help="only split a CSV by precision and mode; needs no GPU")
    o = p.parse_args()
    if o.split:
        return split(o.split)
    if o.export:
        return export_all(o)
    try:
        o.batches = [int(b) for b in o.batches.split(",")]
    except ValueError:
        p.error(f"--batches {o.batches}: want whole numbers, comma-separated")
    o.precisions, o.modes = o.precisions.split(","), o.modes.split(",")
    unknown = [x for x in o.precisions if x not in PRECISIONS] + [x for x in o.modes if x not in MODES]
    if unknown or min(o.batches) < 1:
        p.error(f"unknown {', '.join(unknown) or 'batch below 1'}; precisions are {', '.join(PRECISIONS)}, modes {', '.join(MODES)}")
    sweep(o)


if __name__ == "__main__":
    main()
