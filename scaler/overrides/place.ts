import type { Result } from "../../core/result.ts";
import type { OverrideDocument } from "./document.ts";

/** Where overrides are kept. */
export interface OverridePlace {
  /** What messages call it. */
  readonly where: string;
  /** Another process may write there too. */
  readonly shared: boolean;
  /** Undefined: nothing was kept yet. */
  read(signal: AbortSignal): Promise<Result<OverrideDocument | undefined, PlaceError>>;
  /** Over what was read last, and nothing else. */
  write(document: OverrideDocument, signal: AbortSignal): Promise<Result<void, PlaceError>>;
}

export interface PlaceError {
  /**
   * unreachable: nobody knows what is kept there; broken: what is kept there is not ours to read; forbidden: this process may not;
   * moved-on: somebody else wrote in between.
   */
  readonly kind: "unreachable" | "broken" | "forbidden" | "moved-on";
  readonly message: string;
}
