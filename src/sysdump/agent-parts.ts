// SPDX-License-Identifier: Apache-2.0
// What the agent left in STATE_DIR, its log for one, and what it says over HTTP while it runs.

import { closeSync, existsSync, openSync, readFileSync, readSync, statSync } from "node:fs";
import { get } from "node:http";
import { join } from "node:path";
import { AGENT_LOG_FILES, readListening } from "../inspect/settings.ts";
import { type Part, PartialError } from "./part.ts";

const TIMEOUT_MS = 5000;
/** Bytes of a file or a page, at most. */
const ROOM = 32 << 20;

const STATUS_PAGES = ["metrics", "metrics/slis", "configz", "flagz", "statusz", "proxyMode", "healthz"] as const;
const HEALTH_PAGES = ["healthz", "livez", "readyz"] as const;

export function agentParts(stateDir: string): readonly Part[] {
  const page = (name: string, server: "metrics" | "healthz"): Part => ({
    file: `agent/${server === "healthz" ? "health/" : ""}${name}.txt`,
    what: `/${name} of --${server}-bind-address`,
    read: () => {
      const address = readListening(stateDir)[server];
      if (address === undefined) throw new Error(`${join(stateDir, "agent.json")} names no --${server}-bind-address`);
      return pageText(address, `/${name}`);
    },
  });
  const [log, older] = AGENT_LOG_FILES;
  const files = ["agent.json", log, ...(existsSync(join(stateDir, older)) ? [older] : [])]; // there is none at first
  return [
    ...files.map((name) => filePart(`agent/${name}`, join(stateDir, name))),
    ...STATUS_PAGES.map((name) => page(name, "metrics")),
    ...HEALTH_PAGES.map((name) => page(name, "healthz")),
  ];
}

/** The end of a file, if it is long. */
export function filePart(file: string, path: string): Part {
  return { file, what: path, read: () => fileText(path) };
}

function fileText(path: string): string {
  const { size } = statSync(path); // 0 below /proc
  if (size <= ROOM) return readFileSync(path, "utf8");
  const fd = openSync(path, "r");
  try {
    const end = Buffer.alloc(ROOM);
    return end.toString("utf8", 0, readSync(fd, end, 0, ROOM, size - ROOM));
  } finally {
    closeSync(fd);
  }
}

/** Throws PartialError with the page if its status is not 200. */
function pageText({ host, port }: { readonly host: string; readonly port: number }, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const request = get({ host, port, path, signal, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (piece: string) => {
        text += piece;
        if (text.length > ROOM) response.destroy(new PartialError(`more than ${ROOM} characters`, text));
      });
      response.on("error", reject);
      response.on("end", () => {
        if (response.statusCode === 200) resolve(text);
        else reject(new PartialError(`HTTP ${response.statusCode}`, text));
      });
    });
    request.on("error", (error) => reject(new Error(`http ${host} port ${port}: ${error.message}`, { cause: error })));
  });
}
