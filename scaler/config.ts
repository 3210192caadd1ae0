import { z } from "zod";
import { durationSetting } from "../wire/duration.ts";

const bytes = z.coerce
  .number()
  .int()
  .min(64 * 1024);

/** `namespace/name,namespace/name`, or a list in the settings file. */
const accounts = z.union([z.string().transform((text) => text.split(",").map((part) => part.trim())), z.array(z.string())]).pipe(
  z
    .array(z.string().regex(/^[a-z0-9.-]+\/[a-z0-9.-]+$/, "not a ServiceAccount; write namespace/name"))
    .min(1)
    .max(100),
);

/**
 * Settings of the scaler. Each is a key of the settings file, a flag (`--fleet-url`) and an environment variable
 * (`FULCRUM_FLEET_URL`).
 */
export const scalerSettingsSchema = z.object({
  host: z.string().min(1).default("127.0.0.1").describe("address to listen on"),
  port: z.coerce.number().int().min(0).max(65_535).default(8900).describe("port of page, API, metrics and agents; 0 = any free one"),
  policies: z.string().min(1).optional().describe("policy file, or directory of *.yaml files; watched"),
  policyObjects: z
    .enum(["none", "own", "all"])
    .default("none")
    .describe("ScalingPolicy objects to follow, besides files: none, those of the scaler's own namespace, or all"),
  fleetUrl: z
    .url({ protocol: /^https?$/, error: "not an http address; write for example http://127.0.0.1:8901" })
    .optional()
    .describe("control API of the simulated fleet that FleetPool targets live in"),
  prior: z
    .string()
    .min(1)
    .optional()
    .describe("profile (docs/profile.md) of what one replica is believed to do before anything was observed"),
  actuator: z
    .enum(["fleet", "kubernetes", "none"])
    .optional()
    .describe("what to act on: the simulated fleet, a Kubernetes cluster, or nothing; default: fleet if fleetUrl is set, else none"),
  kubeconfig: z.string().min(1).optional().describe("kubeconfig file for actuator kubernetes; default: the pod's service account"),
  lease: z.string().min(1).max(253).default("fulcrum-scaler").describe("Lease by which scalers on Kubernetes agree who acts"),
  leaseNamespace: z.string().min(1).max(63).optional().describe("namespace of the Lease; default: the scaler's own"),
  engineKeyFile: z
    .string()
    .min(1)
    .optional()
    .describe("file with the key that engines want for live limits (SGLang's --admin-api-key, else its --api-key); read at each use"),
  journal: z.string().min(1).optional().describe("directory of the decision journal; none = not kept"),
  journalMaxBytes: bytes.default(16 * 1024 * 1024).describe("size at which the journal begins a new file"),
  journalMaxFiles: z.coerce.number().int().min(1).max(10_000).default(16).describe("journal files kept"),
  checkpoint: z.string().min(1).optional().describe("file that keeps what was learned across restarts; default: in the journal directory"),
  advertise: z
    .string()
    .min(1)
    .max(253)
    .optional()
    .describe("host under which the other scaler reaches this one, such as the pod's IP: who is on standby copies the leader's journal"),
  peerAccount: accounts
    .optional()
    .describe(
      "ServiceAccount of the other scaler, as namespace/name: its token reads the journal, and nothing else, where pageTokens are needed",
    ),
  peerTokenFile: z.string().min(1).optional().describe("file of the token that this scaler presents to the other one; read at each use"),
  certificateName: z
    .string()
    .min(1)
    .optional()
    .describe("name in the other scaler's certificate, where that is not the host it advertises"),
  webRoot: z.string().min(1).optional().describe("directory of the page's files; default: the ones shipped"),
  token: z.string().min(1).optional().describe("bearer token that agents must present"),
  agentTokens: z.string().min(1).optional().describe("file of bearer tokens, one per line, of which agents must present one; watched"),
  agentAccounts: accounts
    .optional()
    .describe("ServiceAccounts whose tokens agents may present, as namespace/name,…; checked by the API server (TokenReview)"),
  agentAudience: z.string().min(1).default("fulcrum").describe("audience that ServiceAccount tokens of agents must be made for"),
  writeTokens: z
    .string()
    .min(1)
    .optional()
    .describe("file of names and bearer tokens (`name token` a line) of who may pause and resume over the API; watched; default: nobody"),
  pageTokens: z
    .string()
    .min(1)
    .optional()
    .describe("file of tokens, one per line, of which page, API and /live need one; watched; default: whoever reaches the port may read"),
  tlsCert: z.string().min(1).optional().describe("certificate chain (PEM) to serve https, wss and KEDA's port with; watched"),
  tlsKey: z.string().min(1).optional().describe("key (PEM) of tlsCert"),
  clientCa: z
    .string()
    .min(1)
    .optional()
    .describe("CAs (PEM) whose client certificates open the agents' link, as tokens do; needs tlsCert; watched"),
  kedaPort: z.coerce.number().int().min(0).max(65_535).optional().describe("port of KEDA's external scaler (gRPC); default: not served"),
  maxAgents: z.coerce.number().int().min(1).max(10_000).default(1000).describe("agents that may be connected at once"),
  history: durationSetting.default(3600).describe("how long the page's history goes back"),
  logLevel: z.enum(["debug", "info", "warn", "error", "silent"]).default("info").describe("log level"),
});

export type ScalerSettings = z.output<typeof scalerSettingsSchema>;

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
