/** Why the scaler could not start; everything after the start is logged and survived. */
export type ScalerErrorCode = "port-in-use" | "bad-policy" | "bad-prior" | "bad-settings";

export class ScalerError extends Error {
  readonly code: ScalerErrorCode;

  constructor(code: ScalerErrorCode, message: string) {
    super(message);
    this.name = "ScalerError";
    this.code = code;
  }
}
