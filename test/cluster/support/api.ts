// SPDX-License-Identifier: Apache-2.0
// What tests say to the API server: JSON over HTTPS, through a Unix socket that leads into its network namespace.
import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import type { KubeObject } from "../../support/manifests.ts";

const CONCURRENCY = 48;
const TIMEOUT_MS = 30_000;

interface ObjectList {
  readonly items: readonly KubeObject[];
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
}

/** The API server refused; message: method, path, status and what it said. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;

  constructor(asked: string, status: number, said: string) {
    super(`${asked}: ${status} ${said}`);
    this.status = status;
  }
}

/** Resources that tests write, by kind. */
const RESOURCES: Readonly<Record<string, string>> = {
  Service: "services",
  EndpointSlice: "endpointslices",
  Node: "nodes",
  Namespace: "namespaces",
  Pod: "pods",
  Deployment: "deployments",
  ClusterRole: "clusterroles",
  ClusterRoleBinding: "clusterrolebindings",
  ServiceCIDR: "servicecidrs",
  ServiceAccount: "serviceaccounts",
  ConfigMap: "configmaps",
  DaemonSet: "daemonsets",
};

export class Api {
  readonly #agent: Agent;
  readonly #token: string;

  /** socket: path of the relay's. servername: an address in the server's certificate. */
  constructor(socket: string, servername: string, caFile: string, token: string) {
    this.#token = token;
    const tls = { socketPath: socket, ca: readFileSync(caFile), host: servername, servername: "" };
    this.#agent = new Agent({ ...tls, keepAlive: true, maxSockets: CONCURRENCY });
  }

  /** Resolves with the object as the server keeps it. */
  create(object: KubeObject): Promise<KubeObject> {
    return this.#json("POST", collectionPath(object), object);
  }

  /** What create() would do, field by field; nothing comes of it. */
  dryRun(object: KubeObject): Promise<KubeObject> {
    return this.#json("POST", `${collectionPath(object)}?dryRun=All&fieldValidation=Strict`, object);
  }

  /** A token of a service account, good for an hour. */
  async token({ metadata: { namespace, name } }: KubeObject): Promise<string> {
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`;
    const asked = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { expirationSeconds: 3600 } };
    const { status } = await this.#json<{ status: { token: string } }>("POST", path, asked);
    return status.token;
  }

  replace(object: KubeObject): Promise<KubeObject> {
    return this.#json("PUT", objectPath(object), object);
  }

  /** A merge patch (RFC 7386): what it names takes the place of what was there, lists as a whole. */
  patch(object: KubeObject, patch: object, subresource = ""): Promise<KubeObject> {
    return this.#json("PATCH", `${objectPath(object)}${subresource}`, patch, "application/merge-patch+json");
  }

  async delete(object: KubeObject): Promise<void> {
    await this.#json("DELETE", objectPath(object));
  }

  /** All of a collection such as "/api/v1/services", page by page. */
  async list(collection: string): Promise<readonly KubeObject[]> {
    const items: KubeObject[] = [];
    for (let next = ""; ; ) {
      const query = new URLSearchParams({ limit: "500", continue: next });
      const page: ObjectList = await this.#json("GET", `${collection}?${query}`);
      items.push(...page.items);
      next = page.metadata.continue ?? "";
      if (next === "") return items;
    }
  }

  /** Does it for all of them, many at once; resolves when the last is done. */
  async each<T>(things: readonly T[], action: (thing: T) => Promise<unknown>): Promise<void> {
    const left = things.values();
    const worker = async () => {
      for (const thing of left) await action(thing);
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  }

  /** Whether the server says it is ready; false too when nobody answers. */
  async isReady(): Promise<boolean> {
    try {
      await this.#send("GET", "/readyz");
      return true;
    } catch (error) {
      if (error instanceof ApiError || isConnectionError(error)) return false;
      throw error;
    }
  }

  async #json<T>(method: string, path: string, body?: object, type = "application/json"): Promise<T> {
    return JSON.parse(await this.#send(method, path, body, type)) as T;
  }

  #send(method: string, path: string, body?: object, type = "application/json"): Promise<string> {
    return new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${this.#token}`, "content-type": type };
      const asked = request({ method, path, headers, agent: this.#agent, timeout: TIMEOUT_MS }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (piece: string) => {
          text += piece;
        });
        response.on("error", reject);
        response.on("end", () => {
          const status = response.statusCode ?? 0;
          if (status < 300) resolve(text);
          else reject(new ApiError(`${method} ${path}`, status, text));
        });
      });
      asked.on("timeout", () => asked.destroy(new Error(`${method} ${path}: no answer within ${TIMEOUT_MS} ms`)));
      asked.on("error", reject);
      asked.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}

function collectionPath({ apiVersion, kind, metadata }: KubeObject): string {
  const resource = RESOURCES[kind];
  if (resource === undefined) throw new Error(`the path of kind ${kind} is not known here`);
  const group = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  return metadata.namespace === undefined
    ? `${group}/${resource}`
    : `${group}/namespaces/${metadata.namespace}/${resource}`;
}

function objectPath(object: KubeObject): string {
  return `${collectionPath(object)}/${object.metadata.name}`;
}

function isConnectionError(error: unknown): boolean {
  return (
    error instanceof Error && "code" in error && ["ECONNREFUSED", "ECONNRESET", "EPIPE"].includes(String(error.code))
  );
}
