// SPDX-License-Identifier: Apache-2.0
// /flagz and /statusz (behaviour row 70), as k8s.io/apiserver pkg/server/flagz and statusz have them (KEPs 4828 and
// 4827): text for people, or an object of group config.k8s.io where the Accept header names its kind. Pure but for the
// clock.

import { stringify } from "yaml";
import { type MediaType, negotiate } from "./accept.ts";
import { type HttpAnswer, typedAnswer } from "./answer.ts";
import type { RouteRequest } from "./route-server.ts";

export interface StatuszSubject {
  readonly started: Date;
  readonly version: string;
  /** Of the process: Node.js' `process.version`. */
  readonly runtime: string;
  /** First parts of the paths that are answered, such as /metrics. */
  readonly paths: readonly string[];
}

const COMPONENT = "portolan";
const GROUP = "config.k8s.io";
const VERSIONS: readonly string[] = ["v1beta1", "v1alpha1"];
const DEPRECATED = "v1alpha1";
const WARNING =
  "This endpoint is not meant to be machine parseable, has no formatting compatibility guarantees and is for debugging purposes only.";

/** What they have in common. */
interface Page {
  readonly name: "flagz" | "statusz";
  readonly kind: "Flagz" | "Statusz";
  /** Below the heading. */
  readonly text: () => string;
  /** Beside kind, version and name. */
  readonly fields: () => Readonly<Record<string, unknown>>;
}

/** flags: by name, as they are in force. */
export function flagzAnswer(request: RouteRequest, flags: ReadonlyMap<string, string>, now: Date): HttpAnswer {
  const sorted = [...flags].sort(([a], [b]) => (a < b ? -1 : 1));
  const text = () => sorted.map(([name, value]) => `${name}=${value}\n`).join("");
  return pageAnswer(
    request,
    { name: "flagz", kind: "Flagz", text, fields: () => ({ flags: Object.fromEntries(sorted) }) },
    now,
  );
}

export function statuszAnswer(request: RouteRequest, subject: StatuszSubject, now: Date): HttpAnswer {
  const { started, version, runtime, paths } = subject;
  const uptimeSeconds = Math.max(0, Math.floor((now.getTime() - started.getTime()) / 1000));
  const lines = [
    `Started: ${unixDate(started)}`,
    `Up: ${uptime(uptimeSeconds)}`,
    `Node.js version: ${runtime}`,
    `Binary version: ${version}`,
    `Paths: ${paths.join(" ")}`,
  ];
  const fields = () => ({
    startTime: started.toISOString().replace(/\.\d+Z$/, "Z"),
    uptimeSeconds,
    goVersion: "", // it is Go's alone
    binaryVersion: version,
    paths,
  });
  return pageAnswer(request, { name: "statusz", kind: "Statusz", text: () => `\n${lines.join("\n")}\n`, fields }, now);
}

function pageAnswer(request: RouteRequest, { name, kind, text, fields }: Page, now: Date): HttpAnswer {
  const wanted = negotiate(request.headers.accept ?? "", (type, as) =>
    type === "text/plain" ? !as : as?.group === GROUP && as.kind === kind && VERSIONS.includes(as.version),
  );
  if (!wanted) return notAcceptable(request, now);
  const { type, as } = wanted;
  if (!as) {
    const heading = `\n${COMPONENT} ${name}\nWarning: ${WARNING}\n`;
    return typedAnswer("text/plain; charset=utf-8", `${heading}${text()}`, now);
  }
  const object = { kind, apiVersion: `${GROUP}/${as.version}`, metadata: { name: COMPONENT }, ...fields() };
  const note = `299 - "This version of the ${name} endpoint is deprecated. Please use a newer version."`;
  const headers = as.version === DEPRECATED ? ["Warning", note] : [];
  return typedAnswer(`${type};g=${GROUP};v=${as.version};as=${kind}`, bodyOf(object, wanted, request), now, {
    headers,
  });
}

function bodyOf(object: object, { type, pretty }: MediaType, { url = "", headers }: RouteRequest): string {
  // Sorted, and with quotes for whoever reads by YAML 1.1, as Go's writes it.
  if (type === "application/yaml") {
    return stringify(object, { version: "1.1", sortMapEntries: true, indentSeq: false, lineWidth: 0 });
  }
  if (pretty || readByPeople(url, headers["user-agent"] ?? "")) return JSON.stringify(object, null, 2);
  return `${JSON.stringify(object)}\n`;
}

/** The refusal itself is JSON or YAML of no kind to whoever takes that, else JSON with line breaks. */
function notAcceptable(request: RouteRequest, now: Date): HttpAnswer {
  const message = "only the following media types are accepted: application/json, application/yaml, text/plain";
  const outcome = { status: "Failure", message, reason: "NotAcceptable", code: 406 };
  const status = { kind: "Status", apiVersion: "v1", metadata: {}, ...outcome };
  const taken = negotiate(request.headers.accept ?? "", (type, as) => type !== "text/plain" && !as);
  const form = taken ?? { type: "application/json", as: undefined, pretty: true };
  return typedAnswer(form.type, bodyOf(status, form, request), now, { status: 406 });
}

/** As API servers guess it. */
function readByPeople(url: string, agent: string): boolean {
  const pretty = new URLSearchParams(url.split("?")[1]).get("pretty");
  if (pretty) return /^(1|t|true)$/i.test(pretty);
  return /^(curl|Wget|Mozilla\/5\.0)/.test(agent);
}

/** Go's time.UnixDate, in UTC: `Sun Nov  2 12:30:37 UTC 2026`. */
function unixDate(time: Date): string {
  const [, day = "", date = "", month = "", year = "", clock = ""] =
    /^(\w+), (\d+) (\w+) (\d+) (\S+)/.exec(time.toUTCString()) ?? [];
  return `${day} ${month} ${date.replace(/^0/, " ")} ${clock} UTC ${year}`;
}

function uptime(seconds: number): string {
  const two = (count: number) => String(count % 60).padStart(2, "0");
  return `${Math.floor(seconds / 3600)} hr ${two(Math.floor(seconds / 60))} min ${two(seconds)} sec`;
}
