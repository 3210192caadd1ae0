import type { ServerResponse } from "node:http";
import type { ServedKind } from "./kinds.ts";
import { matchesFields, matchesLabels } from "./patch.ts";
import { apiVersion, status } from "./respond.ts";
import type { KubeObject, Store } from "./store.ts";

export interface OpenWatch {
  readonly resource: string;
  readonly selector: string;
  bookmark(): void;
  /** Ends it in good order. */
  end(): void;
  /** Cuts the connection. */
  cut(): void;
}

export interface WatchRequest {
  readonly kind: ServedKind;
  readonly resource: string;
  readonly namespace: string;
  readonly query: URLSearchParams;
}

/** Streams what happens after a version, then what happens; an object that stops matching the selector is told as deleted. */
export function openWatch(store: Store, { kind, resource, namespace, query }: WatchRequest, response: ServerResponse): OpenWatch {
  const selector = query.get("labelSelector") ?? "";
  const fields = query.get("fieldSelector") ?? "";
  const known = new Set<string>();
  const keyOf = ({ metadata }: KubeObject): string => `${metadata.namespace}/${metadata.name}`;
  const selected = (object: KubeObject): boolean => matchesLabels(object.metadata["labels"], selector) && matchesFields(object, fields);
  const send = (type: string, object: unknown): void => {
    if (!response.writableEnded) response.write(`${JSON.stringify({ type, object })}\n`);
  };
  const tell = (type: string, object: KubeObject): void => {
    if (namespace !== "" && object.metadata.namespace !== namespace) return;
    const name = keyOf(object);
    const matches = selected(object);
    if (type === "DELETED" || !matches) {
      if (matches || known.delete(name)) send("DELETED", object);
      known.delete(name);
    } else {
      known.add(name);
      send(type, object);
    }
  };
  response.writeHead(200, { "content-type": "application/json", "transfer-encoding": "chunked" });
  response.flushHeaders();
  for (const object of store.list(resource, namespace)) if (selected(object)) known.add(keyOf(object));
  const past = store.since(resource, Number(query.get("resourceVersion") ?? 0));
  if (past === undefined) {
    send("ERROR", status(410, "Expired", `too old resource version: ${query.get("resourceVersion") ?? ""} (${store.version})`).body);
    response.end();
  } else {
    for (const { type, object } of past) tell(type, object);
  }
  const stop = store.listen((event) => {
    if (event.resource === resource) tell(event.type, event.object);
  });
  const seconds = Number(query.get("timeoutSeconds") ?? 0);
  const timer = seconds > 0 ? setTimeout(() => response.end(), seconds * 1000) : undefined;
  response.on("close", () => {
    stop();
    clearTimeout(timer);
  });
  return {
    resource,
    selector,
    bookmark() {
      if (query.get("allowWatchBookmarks") !== "true") return;
      send("BOOKMARK", {
        kind: kind.kind,
        apiVersion: apiVersion(kind),
        metadata: { resourceVersion: String(store.version), creationTimestamp: null },
      });
    },
    end: () => void response.end(),
    cut: () => response.destroy(),
  };
}
