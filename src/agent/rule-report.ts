// SPDX-License-Identifier: Apache-2.0
// Says what an agent that serves by rules has in force, to whoever asks at a socket in its state directory.

import { rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { FAULTS_PATH, type RuleReport, reportSocket } from "../inspect/rule-report.ts";
import type { Log } from "./log.ts";

export class RuleReporter implements Disposable {
  readonly #server: Server;
  readonly #path: string;

  /** A socket that cannot be made is a warning: the node is served without. faults: as RuleWriter has them. */
  constructor(stateDir: string, report: () => RuleReport, faults: () => Promise<readonly string[]>, log: Log) {
    this.#path = reportSocket(stateDir);
    rmSync(this.#path, { force: true }); // of an agent that was killed
    this.#server = createServer(async ({ url }, response) => {
      response.setHeader("Content-Type", "application/json");
      try {
        response.end(JSON.stringify(url === FAULTS_PATH ? await faults() : report()));
      } catch (error) {
        response.writeHead(500).end(JSON.stringify(error instanceof Error ? error.message : String(error)));
      }
    });
    this.#server.on("error", ({ message }) => log.warn(`what is served cannot be asked for: ${message}`));
    this.#server.listen(this.#path);
  }

  [Symbol.dispose](): void {
    this.#server.closeAllConnections();
    this.#server.close();
    rmSync(this.#path, { force: true });
  }
}
