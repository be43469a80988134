// SPDX-License-Identifier: Apache-2.0
// What a load balancer is told, byte for byte as kube-proxy 1.36 does (behaviour row 66): its Go server sorts the
// handler's headers and puts its own behind them. Pure.

export interface HealthAnswer {
  readonly status: 200 | 503;
  /** Names and values in turn, in the order of the wire. */
  readonly headers: readonly string[];
  readonly body: string;
}

export interface HealthState {
  readonly namespace: string;
  readonly name: string;
  /** Distinct addresses of ready endpoints on this node. */
  readonly localEndpoints: number;
  /** Whether the datapath serves what the Service asks for. */
  readonly healthy: boolean;
}

export function healthAnswer({ namespace, name, localEndpoints, healthy }: HealthState, now: Date): HealthAnswer {
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
  const headers = [
    ...["Content-Type", "application/json"],
    ...["X-Content-Type-Options", "nosniff"],
    ...["X-Load-Balancing-Endpoint-Weight", String(localEndpoints)],
    ...["Date", now.toUTCString()],
    ...["Content-Length", String(Buffer.byteLength(body))],
  ];
  return { status: localEndpoints > 0 && healthy ? 200 : 503, headers, body };
}
