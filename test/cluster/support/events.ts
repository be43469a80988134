// SPDX-License-Identifier: Apache-2.0
// The Events that the API server has, and a port that is taken, which gives reason for one (behaviour row 72).
import type { Lab } from "../../../src/demo/lab/lab.ts";
import type { Host } from "../../../src/demo/lab/plan.ts";
import type { LabProcess } from "../../../src/demo/lab/process.ts";
import type { KubeObject } from "../../support/manifests.ts";
import type { ControlPlane } from "./control-plane.ts";

/** Of a namespace. */
export function listEvents(plane: ControlPlane, namespace: string): Promise<readonly KubeObject[]> {
  return plane.api.list(`/apis/events.k8s.io/v1/namespaces/${namespace}/events`);
}

/** `regarding type reason: note` */
export function eventText(event: KubeObject): string {
  const { kind, name } = event.regarding as { kind: string; name: string };
  return `${kind} ${name} ${event.type} ${event.reason}: ${event.note}`;
}

/** Listens on a TCP port of the host's until it is stopped. */
export async function takePort(lab: Lab, host: Host, port: number): Promise<LabProcess> {
  const taken = lab.spawn(host, ["python3", "-c", TAKE, String(port)]);
  await taken.waitForOutput(/taken/, 10_000);
  return taken;
}

const TAKE = `
import socket, sys, time
one = socket.socket(); one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
one.bind(("0.0.0.0", int(sys.argv[1]))); one.listen()
print("taken", file=sys.stderr, flush=True)
time.sleep(3600)
`;
