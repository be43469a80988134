// SPDX-License-Identifier: Apache-2.0
// What is answered over HTTP, byte for byte as kube-proxy does: its Go server sorts the handler's headers and puts its
// own behind them. Here the answer to a load balancer that asks a healthCheckNodePort (behaviour row 66). Pure.

export interface HttpAnswer {
  readonly status: number;
  /** Names and values in turn, in the order of the wire. */
  readonly headers: readonly string[];
  readonly body: string;
}

const JSON_TYPE = "application/json";
const TEXT_TYPE = "text/plain; charset=utf-8";

/** headers: of the handler, in order of their names, behind Content-Type. */
function answer(status: number, type: string, headers: readonly string[], body: string, now: Date): HttpAnswer {
  const dated = ["Date", now.toUTCString(), "Content-Length", String(Buffer.byteLength(body))];
  return { status, headers: ["Content-Type", type, ...headers, ...dated], body };
}

const NOSNIFF = ["X-Content-Type-Options", "nosniff"];

export function jsonAnswer(status: number, body: string, now: Date, headers: readonly string[] = []): HttpAnswer {
  return answer(status, JSON_TYPE, [...NOSNIFF, ...headers], body, now);
}

export function textAnswer(status: number, body: string, now: Date): HttpAnswer {
  return answer(status, TEXT_TYPE, NOSNIFF, body, now);
}

/** Of a type that the caller names; headers: in order of their names, behind Content-Type. */
export function typedAnswer(
  type: string,
  body: string,
  now: Date,
  { status = 200, headers = [] }: { readonly status?: number; readonly headers?: readonly string[] } = {},
): HttpAnswer {
  return answer(status, type, headers, body, now);
}

export function methodNotAllowed(now: Date): HttpAnswer {
  const { status, headers, body } = textAnswer(405, "Method Not Allowed\n", now);
  return { status, headers: ["Allow", "GET, HEAD", ...headers], body };
}

export interface HealthState {
  readonly namespace: string;
  readonly name: string;
  /** Distinct addresses of ready endpoints on this node. */
  readonly localEndpoints: number;
  /** Whether the datapath serves what the Service asks for. */
  readonly healthy: boolean;
}

export function healthAnswer({ namespace, name, localEndpoints, healthy }: HealthState, now: Date): HttpAnswer {
  const body = [
    "{",
    '\t"service": {',
    `\t\t"namespace": ${JSON.stringify(namespace)},`,
    `\t\t"name": ${JSON.stringify(name)}`,
    "\t},",
    `\t"localEndpoints": ${localEndpoints},`,
    `\t"serviceProxyHealthy": ${healthy}`,
    "}",
  ].join("\n");
  const status = localEndpoints > 0 && healthy ? 200 : 503;
  return jsonAnswer(status, body, now, ["X-Load-Balancing-Endpoint-Weight", String(localEndpoints)]);
}
