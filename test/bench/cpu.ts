export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}

/** Median over the rounds of `amount` per CPU second, after three rounds of warming up. CPU time, not wall time: other work on the machine must not decide. */
export function perCpuSecond<T>(amount: number, rounds: number, prepare: () => T, run: (input: T) => unknown): number {
  const speeds: number[] = [];
  for (let i = 0; i < rounds + 3; i++) {
    const input = prepare();
    const before = process.cpuUsage();
    run(input);
    const { user, system } = process.cpuUsage(before);
    if (i >= 3) speeds.push(amount / ((user + system) / 1e6));
  }
  return median(speeds);
}
