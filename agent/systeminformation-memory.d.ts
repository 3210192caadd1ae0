/** The package describes its whole, of which this is a part. */
declare module "systeminformation/lib/memory.js" {
  import type { Systeminformation } from "systeminformation";

  export function mem(): Promise<Systeminformation.MemData>;
}
