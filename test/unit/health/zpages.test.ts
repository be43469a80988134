// SPDX-License-Identifier: Apache-2.0
// Row 70: /flagz and /statusz. What is expected here is what kube-proxy 1.37.1 answers, less its name and its flags.

import { expect, test } from "vitest";
import type { HttpAnswer } from "../../../src/health/answer.ts";
import { flagzAnswer, statuszAnswer } from "../../../src/health/zpages.ts";

const NOW = new Date("2026-11-02T12:30:38.999Z");
const FLAGS = new Map([
  ["oom-score-adj", "-999"],
  ["masquerade-all", "false"],
  ["cluster-cidr", ""],
]);
const WARNING =
  "Warning: This endpoint is not meant to be machine parseable, has no formatting compatibility guarantees and is for debugging purposes only.";
const TEXT = `\nportolan flagz\n${WARNING}\ncluster-cidr=\nmasquerade-all=false\noom-score-adj=-999\n`;
const JSON_BETA =
  '{"kind":"Flagz","apiVersion":"config.k8s.io/v1beta1","metadata":{"name":"portolan"},"flags":{"cluster-cidr":"","masquerade-all":"false","oom-score-adj":"-999"}}\n';
const BETA = "g=config.k8s.io;v=v1beta1;as=Flagz";

const flagz = (accept?: string, agent = "x", url = "/flagz"): HttpAnswer =>
  flagzAnswer({ url, headers: { ...(accept !== undefined && { accept }), "user-agent": agent } }, FLAGS, NOW);
const typeOf = ({ headers }: HttpAnswer) => headers[1];

test.each([
  undefined,
  "",
  " ",
  "*/*",
  "text/*",
  "text/plain",
  "text/html, application/xhtml+xml, */*;q=0.8",
  "application/json, text/plain;q=0.1",
  `application/json;stream=watch;${BETA}, text/plain`,
])("row 70: %j gets the flags as text", (accept) => {
  expect(flagz(accept)).toEqual({
    status: 200,
    headers: [
      "Content-Type",
      "text/plain; charset=utf-8",
      "Date",
      "Mon, 02 Nov 2026 12:30:38 GMT",
      "Content-Length",
      "210",
    ],
    body: TEXT,
  });
});

test("row 70: who names the kind gets it as JSON, for people with line breaks", () => {
  const accept = "application/json;v=v1beta1;g=config.k8s.io;as=Flagz";
  const type = "application/json;g=config.k8s.io;v=v1beta1;as=Flagz";
  expect([typeOf(flagz(accept)), flagz(accept).body]).toEqual([type, JSON_BETA]);
  const pretty = `{
  "kind": "Flagz",
  "apiVersion": "config.k8s.io/v1beta1",
  "metadata": {
    "name": "portolan"
  },
  "flags": {
    "cluster-cidr": "",
    "masquerade-all": "false",
    "oom-score-adj": "-999"
  }
}`;
  expect(flagz(accept, "curl/7.88.1").body).toBe(pretty);
  expect(flagz(`${accept};pretty=1`).body).toBe(pretty);
  expect(flagz(accept, "x", "/flagz?pretty=true").body).toBe(pretty);
  expect(flagz(accept, "curl/7.88.1", "/flagz?pretty=false").body).toBe(JSON_BETA);
  expect(typeOf(flagz(`*/*;${BETA}`))).toBe(type);
  expect(typeOf(flagz(`text/plain;q=0.5, application/json;q=0.9;${BETA}`))).toBe(type);
});

test("row 70: as YAML, whose values are text to whoever reads them", () => {
  const answer = flagz(`application/yaml;${BETA}`);
  expect(typeOf(answer)).toBe(`application/yaml;${BETA}`);
  expect(answer.body).toBe(
    'apiVersion: config.k8s.io/v1beta1\nflags:\n  cluster-cidr: ""\n  masquerade-all: "false"\n  oom-score-adj: "-999"\nkind: Flagz\nmetadata:\n  name: portolan\n',
  );
});

test("row 70: the version of old is answered with a warning", () => {
  const { status, headers, body } = flagz("application/json;v=v1alpha1;g=config.k8s.io;as=Flagz");
  expect(status).toBe(200);
  expect(headers.slice(2, 4)).toEqual([
    "Warning",
    '299 - "This version of the flagz endpoint is deprecated. Please use a newer version."',
  ]);
  expect(body).toContain('"apiVersion":"config.k8s.io/v1alpha1"');
});

const MESSAGE = "only the following media types are accepted: application/json, application/yaml, text/plain";

test.each([
  "text/html",
  "application/vnd.kubernetes.protobuf",
  "application/json;v=v1;g=config.k8s.io;as=Flagz",
  "application/json;v=v1beta1;g=config.k8s.io;as=Statusz",
  "application/json;v=v1beta1;as=Flagz",
  `text/plain;${BETA}`,
])("row 70: %s is not there", (accept) => {
  const answer = flagz(accept);
  expect([answer.status, typeOf(answer), answer.headers.at(-1)]).toEqual([406, "application/json", "237"]);
  expect(answer.body).toBe(`{
  "kind": "Status",
  "apiVersion": "v1",
  "metadata": {},
  "status": "Failure",
  "message": "${MESSAGE}",
  "reason": "NotAcceptable",
  "code": 406
}`);
});

test("row 70: nor is what names no kind, which is said as it is asked for", () => {
  const json = flagz("application/json");
  expect([json.status, typeOf(json), json.body]).toEqual([
    406,
    "application/json",
    `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"${MESSAGE}","reason":"NotAcceptable","code":406}\n`,
  ]);
  const yaml = flagz("application/yaml");
  expect([yaml.status, typeOf(yaml), yaml.body]).toEqual([
    406,
    "application/yaml",
    `apiVersion: v1\ncode: 406\nkind: Status\nmessage: "${MESSAGE}"\nmetadata: {}\nreason: NotAcceptable\nstatus: Failure\n`,
  ]);
});

const SUBJECT = {
  started: new Date("2026-11-01T10:28:37.5Z"),
  version: "0.1.0",
  runtime: "v20.20.2",
  paths: ["/configz", "/healthz"],
};

test("row 70: /statusz says since when which version runs, and what else there is to ask", () => {
  const statusz = (accept: string) => statuszAnswer({ url: "/statusz", headers: { accept } }, SUBJECT, NOW);
  expect(statusz("").body).toBe(`
portolan statusz
${WARNING}

Started: Sun Nov  1 10:28:37 UTC 2026
Up: 26 hr 02 min 01 sec
Node.js version: v20.20.2
Binary version: 0.1.0
Paths: /configz /healthz
`);
  expect(statusz("application/json;g=config.k8s.io;v=v1beta1;as=Statusz").body).toBe(
    '{"kind":"Statusz","apiVersion":"config.k8s.io/v1beta1","metadata":{"name":"portolan"},"startTime":"2026-11-01T10:28:37Z","uptimeSeconds":93721,"goVersion":"","binaryVersion":"0.1.0","paths":["/configz","/healthz"]}\n',
  );
  expect(statusz("application/yaml;g=config.k8s.io;v=v1beta1;as=Statusz").body).toBe(
    'apiVersion: config.k8s.io/v1beta1\nbinaryVersion: 0.1.0\ngoVersion: ""\nkind: Statusz\nmetadata:\n  name: portolan\npaths:\n- /configz\n- /healthz\nstartTime: "2026-11-01T10:28:37Z"\nuptimeSeconds: 93721\n',
  );
});
