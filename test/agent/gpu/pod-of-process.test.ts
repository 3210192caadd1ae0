import { describe, expect, it } from "vitest";
import { createPodOfProcess, podUidOf } from "../../../agent/gpu/pod-of-process.ts";

const UID = "0f4de9d1-3a3b-4c5d-8e6f-7a8b9c0d1e2f";
const SYSTEMD = UID.replaceAll("-", "_");

describe("the pod of a process", () => {
  it.each([
    [
      "cgroup v2, systemd",
      `0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${SYSTEMD}.slice/cri-containerd-1a.scope`,
      UID,
    ],
    ["cgroup v2, systemd, guaranteed", `0::/kubepods.slice/kubepods-pod${SYSTEMD}.slice/crio-1a.scope/container`, UID],
    ["cgroup v2, cgroupfs", `0::/kubepods/besteffort/pod${UID}/0123abc`, UID],
    ["cgroup v1", `12:memory:/kubepods/burstable/pod${UID}/1a\n11:cpu:/kubepods/burstable/pod${UID}/1a\n`, UID],
    ["seen from inside a nested cgroup namespace", `0::/../../kubepods-burstable-pod${SYSTEMD}.slice/cri-containerd-1a.scope`, UID],
    ["a static pod", "0::/kubepods/burstable/pod0123456789abcdef0123456789abcdef/1a", "0123456789abcdef0123456789abcdef"],
    ["no pod", "0::/user.slice/user-1000.slice/session-2.scope", undefined],
    ["podman", "0::/machine.slice/libpod-0123456789abcdef.scope", undefined],
    ["something that only looks like it", `0::/system.slice/tripod${UID}/1a`, undefined],
    ["nothing", "", undefined],
  ])("%s", (_, cgroup, uid) => {
    expect(podUidOf(cgroup)).toBe(uid);
  });

  it("is unknown for a process that has ended", () => {
    expect(createPodOfProcess("/nonexistent")(1)).toBeUndefined();
  });
});
