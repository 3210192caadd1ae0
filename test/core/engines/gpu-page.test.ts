import { describe, expect, it } from "vitest";
import { createGpuPage, readGpuPage } from "../../../core/engines/gpu-page.ts";
import { fixture } from "../fixture.ts";

describe("a dcgm-exporter page", () => {
  it("of a stock exporter has no SM activity and no NVLink: absent, not 0", () => {
    const { gpus, problemCount } = readGpuPage(fixture("gpu/dcgm-exporter-kops-l4-1.txt"));
    expect(problemCount).toBe(0);
    expect(gpus).toEqual([
      {
        gpu: "0",
        uuid: "GPU-c2f76b33-7953-256e-8f33-1343419b1a1c",
        tensorActive: 0,
        dramActive: 0,
        memoryUsedBytes: 0,
        memoryTotalBytes: 24151851008,
        powerWatts: 16.365,
        temperatureCelsius: 31,
        pcieReceiveBytesPerSecond: 17544,
        pcieTransmitBytesPerSecond: 112603,
        energyJoules: 4742.776,
      },
    ]);
  });

  it("of a Kubernetes node names the pod; the shell noise of the capture is no harm", () => {
    const { gpus } = readGpuPage(fixture("gpu/dcgm-exporter-linode-rtx4000ada-pod.txt"));
    expect(gpus).toHaveLength(1);
    expect(gpus[0]).toMatchObject({
      pod: "cuda-75454ffb9f-8ljq7",
      namespace: "default",
      container: "cuda",
      temperatureCelsius: 48,
      lastXid: 0,
    });
  });

  it("with the names of DCGM 4.6, blanks, links, MIG and old label names", () => {
    const { gpus, problems } = readGpuPage(fixture("gpu/blank-and-renamed.txt"));
    expect(problems).toEqual([]);
    expect(gpus.map((g) => g.gpu)).toEqual(["0", "0/3", "1"]);
    expect(gpus[0]).toEqual({
      gpu: "0",
      uuid: "GPU-a",
      smActive: 0.91,
      tensorActive: 0.62,
      powerWatts: 655.5,
      memoryUsedBytes: 100 * 2 ** 20,
      memoryTotalBytes: 128 * 2 ** 20,
      nvlinkTransmitBytesPerSecond: 1000,
      nvlinkReceiveBytesPerSecond: 2000,
      throttleSecondsByReason: { sw_power_cap: 1.5, hw_thermal: 0.5 },
      lastXid: 79,
      xidCounts: [
        { xid: 79, count: 1 },
        { xid: 31, count: 4 },
      ],
    });
    expect(gpus[1]).toMatchObject({ pod: "mig-pod", namespace: "x", smActive: 0.25 });
    // Without the free memory the total is not known.
    expect(gpus[2]).toEqual({
      gpu: "1",
      uuid: "GPU-b",
      pod: "old-style",
      namespace: "serving",
      container: "engine",
      memoryUsedBytes: 4 * 2 ** 20,
    });
  });

  it("follows a pod that leaves and a GPU that falls off the bus", () => {
    const page = createGpuPage();
    const row = (gpu: number, pod: string, watts: number): string =>
      `DCGM_FI_DEV_POWER_USAGE{gpu="${gpu}",UUID="GPU-${gpu}",pod="${pod}"} ${watts}\n`;
    expect(page.read(row(0, "a", 100) + row(1, "b", 200)).gpus).toMatchObject([{ pod: "a" }, { pod: "b" }]);
    expect(page.read(row(0, "c", 110)).gpus).toEqual([{ gpu: "0", uuid: "GPU-0", pod: "c", powerWatts: 110 }]);
    expect(page.read(row(0, "", 90)).gpus).toEqual([{ gpu: "0", uuid: "GPU-0", powerWatts: 90 }]);
    expect(page.read("").gpus).toEqual([]);
  });

  it.each(["DCGM_FI_DEV_CLOCK_THROTTLE_REASONS", "DCGM_FI_DEV_CLOCKS_EVENT_REASONS"])(
    "tells from %s what holds the clocks down",
    (name) => {
      const page = (mask: number): readonly string[] => {
        const [gpu] = readGpuPage(`${name}{gpu="0",UUID="G"} ${mask}\n`).gpus;
        expect(gpu).not.toHaveProperty("throttleSecondsByReason");
        const reasons = Object.entries(gpu?.throttling ?? {});
        expect(reasons).toHaveLength(6);
        return reasons.filter(([, active]) => active).map(([reason]) => reason);
      };
      expect(page(0)).toEqual([]);
      // Idle, a clock set by an operator, display: nothing holds a working GPU down.
      expect(page(0x1 + 0x2 + 0x100)).toEqual([]);
      expect(page(0x4)).toEqual(["sw_power_cap"]);
      expect(page(0x1 + 0x8 + 0x40)).toEqual(["hw_slowdown", "hw_thermal"]);
      expect(page(0x10 + 0x20 + 0x80)).toEqual(["sync_boost", "sw_thermal", "hw_power_brake"]);
    },
  );

  it("counts ECC errors by the kinds it has", () => {
    const text = 'DCGM_FI_DEV_ECC_SBE_VOL_TOTAL{gpu="0",UUID="G"} 7\nDCGM_FI_DEV_ECC_DBE_AGG_TOTAL{gpu="0",UUID="G"} 0\n';
    expect(readGpuPage(text).gpus).toEqual([{ gpu: "0", uuid: "G", eccErrors: { sbe_volatile: 7, dbe_aggregate: 0 } }]);
  });

  it("shared by several pods is one device", () => {
    const text = 'DCGM_FI_PROF_SM_ACTIVE{gpu="0",UUID="G",pod="a"} 0.5\nDCGM_FI_PROF_SM_ACTIVE{gpu="0",UUID="G",pod="b"} 0.5\n';
    expect(readGpuPage(text).gpus).toEqual([{ gpu: "0", uuid: "G", pod: "a", smActive: 0.5 }]);
  });
});
