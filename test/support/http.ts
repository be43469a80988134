// SPDX-License-Identifier: Apache-2.0
// Raw HTTP from within a host of the lab: what is written goes out as it is, what comes back is given as it came.
import type { Lab } from "../../src/demo/lab/lab.ts";
import type { Host } from "../../src/demo/lab/plan.ts";
import type { LabProcess } from "../../src/demo/lab/process.ts";

const PIPE =
  "const c = require('net').connect(+process.argv[2], process.argv[1]); process.stdin.pipe(c); c.pipe(process.stdout); c.on('error', (e) => { console.log(e.code); process.exit(); })";

export const UNDATED = "Date: Thu, 01 Jan 1970 00:00:00 GMT";

/** A connection; what is written to it goes out as it is. */
export function connect(lab: Lab, host: Host, address: string, port: number): LabProcess {
  return lab.spawn(host, ["node", "-e", PIPE, address, String(port)]);
}

/** All that comes back until the server ends the connection; or the error code. */
export async function ask(lab: Lab, host: Host, address: string, port: number, request: string): Promise<string> {
  const connection = connect(lab, host, address, port);
  connection.write(request);
  await connection.exited;
  return connection.stdout;
}

/** The whole answer to one GET, its Date as UNDATED; or the error code. */
export async function get(
  lab: Lab,
  host: Host,
  address: string,
  port: number,
  path: string,
  accept?: string,
): Promise<string> {
  const more = accept === undefined ? "" : `Accept: ${accept}\r\n`;
  const request = `GET ${path} HTTP/1.1\r\nHost: n1\r\n${more}Connection: close\r\n\r\n`;
  return undated(await ask(lab, host, address, port, request)).trim();
}

export function undated(answer: string): string {
  return answer.replace(/Date: [A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT/g, UNDATED);
}

export function bodyOf(answer: string): string {
  return answer.slice(answer.indexOf("\r\n\r\n") + 4);
}
