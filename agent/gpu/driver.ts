import { existsSync } from "node:fs";

/** The soname that every driver's package and container runtime provides. */
export const NVML_LIBRARY = "libnvidia-ml.so.1";

/** The control device, which exists where a driver is loaded and this process may see it; without it no process is started to find that out. */
const CONTROL_DEVICE = "/dev/nvidiactl";

/** A library that was named is tried whatever the devices say. */
export const driverPresent = (library: string): boolean => library !== NVML_LIBRARY || existsSync(CONTROL_DEVICE);
