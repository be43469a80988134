// SPDX-License-Identifier: Apache-2.0
// Clients that begin connections at a steady rate beside long streams (programs/rush.c), and what became of these.

import { expect } from "vitest";
import type { Lab } from "../../src/demo/lab/lab.ts";
import type { Host } from "../../src/demo/lab/plan.ts";
import type { LabProcess } from "../../src/demo/lab/process.ts";

export interface Rush {
  /** compileProgram("rush") */
  readonly program: string;
  /** New connections a second over all targets. */
  readonly rate: number;
  /** Long ones for each target. */
  readonly streams: number;
  /** address, port, address, port ...; "udp:ADDRESS" and "udpto:ADDRESS": streams of datagrams alone */
  readonly targets: readonly string[];
  /** Its sockets are balanced; else it meets the tc programs. */
  readonly socketBalancing?: boolean;
}

/** Serves on port 8080; resolves once it listens. */
export async function serveRush(lab: Lab, host: Host, program: string): Promise<LabProcess> {
  const server = lab.spawn(host, [program, "serve", "8080"]);
  await server.waitForOutput(/^ready$/m);
  return server;
}

/** Resolves once its streams are open. */
export async function startRush(lab: Lab, host: Host, rush: Rush): Promise<LabProcess> {
  const { program, rate, streams, targets, socketBalancing = false } = rush;
  const client = lab.spawn(host, [program, "ask", String(rate), String(streams), ...targets], { socketBalancing });
  await client.waitForOutput(/^ready$/m);
  return client;
}

/** What became of a client's connections. */
interface Outcome {
  readonly asked: number;
  readonly answered: number;
  readonly beats: number;
  readonly ms: number;
  readonly [fate: string]: number;
}

/** Ends the client once what it has begun has ended. */
export async function endRush(client: LabProcess): Promise<Outcome> {
  client.write("enough\n");
  await client.exited;
  return JSON.parse(client.stdout.replace(/^ready$/m, "")) as Outcome;
}

/** Ends the client: of at least so many connections none was refused, reset, late or lost, and each stream spoke to the end. */
export async function expectUnharmed(client: LabProcess, least: number, streams: number): Promise<void> {
  const { asked, beats, ms, ...fate } = await endRush(client);
  expect(fate).toEqual({ answered: asked, refused: 0, reset: 0, timedOut: 0, other: 0, streamsLost: 0, moved: 0 });
  // Of two targets, one in each family, the whole time.
  expect(beats).toBeGreaterThanOrEqual(2 * streams);
  expect(asked).toBeGreaterThan(least);
  const rate = Math.round((asked * 1000) / ms);
  console.log(`${asked} connections in ${ms} ms, ${rate} a second; ${beats} echoes of streams`);
}
