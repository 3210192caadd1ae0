import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { definedBy, definitionProblem } from "./definitions.ts";
import { KINDS, type ServedKind } from "./kinds.ts";
import { openApi } from "./openapi.ts";
import { listOf, ok, resourceList, scaleOf, status, type Answer } from "./respond.ts";
import { mergePatch } from "./patch.ts";
import { Store, type Fields, type Json, type KubeObject } from "./store.ts";
import { openWatch, type OpenWatch } from "./watch.ts";
import { write } from "./write.ts";

export interface SeenCall {
  readonly verb: string;
  readonly group: string;
  /** With its subresource: `deployments/scale`. */
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly query: URLSearchParams;
  readonly body: unknown;
  readonly status: number;
}

/** What to do with a call instead of answering it: an answer, or "cut" for none at all. Undefined = as usual. */
export type Fault = (
  call: Omit<SeenCall, "status">,
) => Answer | "cut" | "cut after" | undefined | Promise<Answer | "cut" | "cut after" | undefined>;

/** Whose a token is, what it was made for, and on which node the pod is that it was made for. */
export interface KnownToken {
  readonly username: string;
  readonly audiences: readonly string[];
  readonly node?: string;
}

/** An API server on loopback that speaks the real protocol over an own store. */
export interface KubeApiServer {
  readonly url: string;
  readonly kubeconfig: string;
  readonly store: Store;
  readonly calls: SeenCall[];
  readonly watches: Set<OpenWatch>;
  /** Tokens that TokenReview knows, and who they are. */
  readonly tokens: Map<string, KnownToken>;
  /** What the caller may do, as SelfSubjectAccessReview tells it. */
  allows: (asked: { readonly verb: string; readonly group: string; readonly resource: string }) => boolean;
  /** What is served; a CustomResourceDefinition adds to it. */
  readonly kinds: ServedKind[];
  fault: Fault;
  /** Unknown fields and wrong types of an object, for writes that ask for strict validation. */
  validate: ((object: unknown) => readonly string[]) | undefined;
  /** What a caller must present. */
  token: string;
  close(): Promise<void>;
}

export async function startKubeApi(token = "secret", kinds: readonly ServedKind[] = KINDS): Promise<KubeApiServer> {
  const state = {
    store: new Store(),
    calls: [] as SeenCall[],
    watches: new Set<OpenWatch>(),
    tokens: new Map<string, KnownToken>(),
    allows: () => true,
    kinds: [...kinds],
    fault: (() => undefined) as Fault,
    validate: undefined as KubeApiServer["validate"],
    token,
  };
  const server = createServer((request, response) => void serve(state, request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const directory = await mkdtemp(join(tmpdir(), "fulcrum-kube-"));
  const kubeconfig = join(directory, "config");
  await writeFile(kubeconfig, kubeconfigText(url, token));
  return Object.assign(state, {
    url,
    kubeconfig,
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await rm(directory, { recursive: true, force: true });
    },
  });
}

type State = Pick<KubeApiServer, "store" | "calls" | "watches" | "tokens" | "allows" | "kinds" | "fault" | "validate" | "token">;

async function serve(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  const url = new URL(request.url ?? "/", "http://kube");
  if (request.headers.authorization !== `Bearer ${state.token}`) return send(response, status(401, "Unauthorized", "Unauthorized"));
  if (/^\/(api(\/[^/]+)?|apis(\/[^/]+){0,2})\/?$/.test(url.pathname) && request.method === "GET")
    return send(response, discovery(state.kinds, url.pathname));
  if (url.pathname.startsWith("/openapi/v3")) return send(response, openApi(state.kinds, url.pathname));
  const target = route(state.kinds, url.pathname);
  if (target === undefined) return send(response, status(404, "NotFound", "the server could not find the requested resource"));
  const body = text === "" ? {} : (JSON.parse(text) as Fields);
  const watches = url.searchParams.get("watch") === "true";
  const call = {
    verb: verbOf(request.method ?? "", target.name, watches),
    group: target.kind.group,
    resource: target.subresource === "" ? target.kind.plural : `${target.kind.plural}/${target.subresource}`,
    namespace: target.namespace,
    name: target.name,
    query: url.searchParams,
    body,
  };
  const fault = await state.fault(call);
  if (fault === "cut") return void request.socket.destroy();
  const asked = { method: request.method ?? "", contentType: request.headers["content-type"] ?? "", query: url.searchParams, body };
  if (fault === undefined && watches) {
    state.calls.push({ ...call, status: 200 });
    const watch = openWatch(state.store, { ...target, query: url.searchParams }, response);
    state.watches.add(watch);
    response.on("close", () => state.watches.delete(watch));
    return;
  }
  const answer = typeof fault === "object" ? fault : answerTo(state, { ...target, ...asked });
  state.calls.push({ ...call, status: answer.status });
  // Carried out, but nobody hears of it.
  if (fault === "cut after") return void request.socket.destroy();
  send(response, answer);
}

interface Target {
  readonly kind: ServedKind;
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly subresource: string;
}

type Asked = Target & { readonly method: string; readonly contentType: string; readonly query: URLSearchParams; readonly body: Fields };

function answerTo(state: State, asked: Asked): Answer {
  const { store } = state;
  const { kind, resource, namespace, name, subresource, method, query } = asked;
  if (kind.kind === "TokenReview") return reviewToken(state, asked.body);
  if (subresource !== "" && !(subresource === "status" && kind.status) && !(subresource === "scale" && kind.scale !== undefined)) {
    return status(404, "NotFound", "the server could not find the requested resource");
  }
  if (kind.kind === "SelfSubjectAccessReview") return reviewAccess(state, asked.body);
  if (method !== "GET") {
    const refused = refusal(state, asked) ?? (kind.kind === "CustomResourceDefinition" ? definitionProblem(asked.body) : undefined);
    if (refused !== undefined) return refused;
    // Nothing of it is kept.
    if (query.get("dryRun") === "All") return dryRun(asked, store.get(resource, namespace, name));
    const answer = write(store, asked);
    if (kind.kind === "CustomResourceDefinition" && answer.status === 201) state.kinds.push(...definedBy(asked.body));
    return answer;
  }
  if (name === "") return listOf(kind, store.list(resource, namespace), store.version, query);
  const object = store.get(resource, namespace, name);
  if (object === undefined)
    return status(404, "NotFound", `${kind.plural}${kind.group === "" ? "" : `.${kind.group}`} "${name}" not found`);
  return ok(subresource === "scale" ? scaleOf(kind, object) : object);
}

/** What would be; merge patches and creations are all that is tried dry. */
function dryRun({ method, body }: Asked, object: KubeObject | undefined): Answer {
  if (method === "POST") return ok(body, 201);
  return object === undefined ? status(404, "NotFound", "not found") : ok(mergePatch(object as unknown as Json, body));
}

/** What strict validation finds, and that an object's namespace must be there before it: only where the test says what fields kinds have. */
function refusal({ store, validate }: State, { kind, namespace, method, query, body }: Asked): Answer | undefined {
  if (validate === undefined || method !== "POST") return undefined;
  const problems = query.get("fieldValidation") === "Strict" ? validate(body) : [];
  if (problems.length > 0)
    return status(
      400,
      "BadRequest",
      `${kind.kind} in version "${kind.version}" cannot be handled: strict decoding error: ${problems.join(", ")}`,
    );
  if (namespace === "" || store.get("namespaces.", "", namespace) !== undefined) return undefined;
  return status(404, "NotFound", `namespaces "${namespace}" not found`);
}

function reviewToken({ tokens }: State, body: Fields): Answer {
  const { token, audiences } = (body["spec"] ?? {}) as { token?: string; audiences?: readonly string[] };
  const known = tokens.get(token ?? "");
  const shared = known?.audiences.filter((a) => audiences === undefined || audiences.includes(a)) ?? [];
  const authenticated = known !== undefined && shared.length > 0;
  const extra = known?.node === undefined ? {} : { extra: { "authentication.kubernetes.io/node-name": [known.node] } };
  const found = authenticated ? { authenticated, user: { username: known.username, ...extra }, audiences: shared } : { authenticated };
  return ok({ ...body, status: found }, 201);
}

function reviewAccess({ allows }: State, body: Fields): Answer {
  const { resourceAttributes } = (body["spec"] ?? {}) as { resourceAttributes?: Readonly<Record<string, string>> };
  const { verb = "", group = "", resource = "", subresource } = resourceAttributes ?? {};
  const allowed = allows({ verb, group, resource: subresource === undefined ? resource : `${resource}/${subresource}` });
  return ok({ ...body, status: { allowed } }, 201);
}

function discovery(kinds: readonly ServedKind[], path: string): Answer {
  const [, root, group, version] = path.split("/");
  if (path.replace(/\/$/, "") === "/api") return ok({ kind: "APIVersions", versions: ["v1"] });
  if (root === "api")
    return resourceList(
      kinds.filter((k) => k.group === "" && k.version === group),
      group ?? "",
    );
  if (version !== undefined)
    return resourceList(
      kinds.filter((k) => k.group === group && k.version === version),
      `${group ?? ""}/${version}`,
    );
  if (group === undefined || group === "") return ok({ kind: "APIGroupList", apiVersion: "v1", groups: groupsOf(kinds) });
  const versions = [...new Set(kinds.filter((k) => k.group === group).map((k) => k.version))];
  if (versions.length === 0) return status(404, "NotFound", "the server could not find the requested resource");
  return ok({
    kind: "APIGroup",
    apiVersion: "v1",
    name: group,
    versions: versions.map((v) => ({ groupVersion: `${group ?? ""}/${v}`, version: v })),
  });
}

const groupsOf = (kinds: readonly ServedKind[]): unknown =>
  [...new Set(kinds.map((k) => k.group))]
    .filter((group) => group !== "")
    .map((name) => ({
      name,
      versions: [...new Set(kinds.filter((k) => k.group === name).map((k) => k.version))].map((version) => ({
        groupVersion: `${name}/${version}`,
        version,
      })),
    }))
    .map((group) => ({ ...group, preferredVersion: group.versions[0] }));

function route(kinds: readonly ServedKind[], path: string): Target | undefined {
  const match = /^\/(?:api|apis\/([^/]+))\/([^/]+)(?:\/namespaces\/([^/]+))?\/([^/]+)(?:\/([^/]+))?(?:\/([^/]+))?$/.exec(path);
  if (match === null) return undefined;
  const [, group = "", version, namespace = "", plural, name = "", subresource = ""] = match;
  const kind = kinds.find((k) => k.group === group && k.version === version && k.plural === plural);
  return kind === undefined
    ? undefined
    : { kind, resource: `${plural ?? ""}.${group}`, namespace, name: decodeURIComponent(name), subresource };
}

export function verbOf(method: string, name: string, watch: boolean): string {
  if (method === "GET") return watch ? "watch" : name === "" ? "list" : "get";
  return { POST: "create", PUT: "update", PATCH: "patch", DELETE: "delete" }[method] ?? method;
}

export function send(response: ServerResponse, answer: Answer): void {
  response.writeHead(answer.status, { "content-type": "application/json", ...answer.headers });
  response.end(JSON.stringify(answer.body));
}

export const kubeconfigText = (server: string, token: string): string => `apiVersion: v1
kind: Config
current-context: fake
contexts: [{ name: fake, context: { cluster: fake, user: fake, namespace: fulcrum } }]
clusters: [{ name: fake, cluster: { server: "${server}", insecure-skip-tls-verify: true } }]
users: [{ name: fake, user: { token: ${token} } }]
`;
