// SPDX-License-Identifier: Apache-2.0
// A large cluster for the API server: n Services of one TCP port, with m endpoints each in one slice. Addresses are
// 10.96.16.0 and up, endpoints 10.64.0.0 and up: nobody is there.
import type { KubeObject } from "../../support/manifests.ts";
import type { ControlPlane } from "./control-plane.ts";

export const BULK_PORT = 80;
const TARGET_PORT = 8080;

export interface BulkSize {
  readonly services: number;
  readonly endpoints: number;
}

export function bulkAddress(n: number): string {
  return dotted("10.96", 0x1000 + n);
}

export function bulkService(n: number): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: `bulk-${n}`, namespace: "test" },
    spec: {
      clusterIP: bulkAddress(n),
      ports: [{ name: "http", protocol: "TCP", port: BULK_PORT, targetPort: TARGET_PORT }],
    },
  };
}

export function bulkSlice(n: number, addresses: readonly string[]): KubeObject {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      name: `bulk-${n}-x`,
      namespace: "test",
      labels: { "kubernetes.io/service-name": `bulk-${n}`, "endpointslice.kubernetes.io/managed-by": "test" },
    },
    addressType: "IPv4",
    ports: [{ name: "http", protocol: "TCP", port: TARGET_PORT }],
    endpoints: bulkEndpoints(addresses),
  };
}

export function bulkEndpoints(addresses: readonly string[]): readonly object[] {
  return addresses.map((address) => ({ addresses: [address], nodeName: "elsewhere", conditions: { ready: true } }));
}

/** m addresses that no other Service has; round: others for the same Service, at most 4. */
export function bulkAddresses(n: number, { endpoints }: BulkSize, round = 0): readonly string[] {
  return Array.from({ length: endpoints }, (_, k) =>
    dotted(`10.${64 + 16 * round + ((n * endpoints + k) >> 16)}`, (n * endpoints + k) & 0xffff),
  );
}

/** Creates all of it; slices: those that are not as bulkAddresses() says. */
export async function loadBulk(
  plane: ControlPlane,
  size: BulkSize,
  slices: ReadonlyMap<number, readonly string[]> = new Map(),
): Promise<void> {
  const numbers = Array.from({ length: size.services }, (_, n) => n);
  await plane.api.each(numbers, async (n) => {
    await plane.api.create(bulkService(n));
    await plane.api.create(bulkSlice(n, slices.get(n) ?? bulkAddresses(n, size)));
  });
}

function dotted(first: string, rest: number): string {
  return `${first}.${rest >> 8}.${rest & 255}`;
}
