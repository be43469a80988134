// SPDX-License-Identifier: Apache-2.0
// The agent's log: pino's JSON lines on stderr, or the same lines written for people. Its end is in STATE_DIR as well.

import { writeSync } from "node:fs";
import { type Logger, pino, stdTimeFunctions } from "pino";
import { LogFile } from "./log-file.ts";
import type { AgentOptions, LogFormat } from "./options.ts";

const STDERR = 2;

export type Log = Logger;

/** sink: takes each line, newline and all; default: stderr. */
export function openLog(format: LogFormat, level: string, sink: (line: string) => void = toStderr): Log {
  const write = format === "json" ? (line: string) => line : textLine;
  return pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => sink(write(line)) },
  );
}

export interface AgentLog {
  readonly log: Log;
  /** For what ends the agent, which whoever runs it says on stderr. */
  readonly ended: (error: unknown) => void;
}

export function openAgentLog({
  logFormat,
  logLevel,
  stateDir,
}: Pick<AgentOptions, "logFormat" | "logLevel" | "stateDir">): AgentLog {
  const file = new LogFile(stateDir);
  const log = openLog(logFormat, logLevel, (line) => {
    toStderr(line);
    const reason = file.append(line);
    if (reason !== undefined) log.warn({ reason }, "--state-dir takes no log, so portolan sysdump will have none");
  });
  const record = openLog(logFormat, "fatal", (line) => void file.append(line));
  return { log, ended: (error) => record.fatal({ err: error }, "the agent ends") };
}

function toStderr(line: string): void {
  writeSync(STDERR, line);
}

/** `2026-01-31T12:00:00.000Z WARN message key=value …` of one JSON line. */
export function textLine(json: string): string {
  const { time, level, msg, err, ...rest } = JSON.parse(json) as Record<string, unknown>;
  const fields = Object.entries(rest).map(([key, value]) => ` ${key}=${textValue(value)}`);
  const { short, stack } = errorText(err);
  return `${time} ${String(level).toUpperCase()} ${msg}${short}${fields.join("")}${stack}\n`;
}

function textValue(value: unknown): string {
  if (typeof value === "string" && /^[^\s"=]+$/.test(value)) return value;
  return JSON.stringify(value);
}

/** As on the command line: an error with a code speaks for itself, one without is a defect and shows its stack. */
function errorText(err: unknown): { readonly short: string; readonly stack: string } {
  if (typeof err !== "object" || err === null) return { short: "", stack: "" };
  const { code, message, stack } = err as Record<string, unknown>;
  return code === undefined ? { short: "", stack: `\n${stack}` } : { short: `: ${message}`, stack: "" };
}
