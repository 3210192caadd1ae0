/** For measurements that say nothing of the network: one 400 Gb/s NIC at 90 % of line rate and 2 ms to set up, as in the default profile. */
export const ASSUMED_LINK = { latency: 0.002, bytesPerSecond: 45e9 };
