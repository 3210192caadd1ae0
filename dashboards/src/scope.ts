/** Matchers that follow the dashboard's variables. Scaler series carry namespace and policy, agent series namespace and pool. */
export const POLICY = { namespace: '=~"$namespace"', policy: '=~"$policy"' } as const;
export const POOL = { namespace: '=~"$namespace"', pool: '=~"$pool"' } as const;
/** GPU series name the pool that runs on the GPU; GPUs without one (idle, other workloads) stay visible. */
export const GPU = { pool: '=~"$pool|"' } as const;
