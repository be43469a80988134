// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { withoutSecrets } from "../../../src/sysdump/secrets.ts";

const PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\n-----END RSA PRIVATE KEY-----";
const JWT = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJlcm5ldGVzIn0.c2lnbmF0dXJl";

test.each([
  ["a URL's user", "https://admin:hunter2@192.0.2.1:6443/x refused", "https://CLASSIFIED@192.0.2.1:6443/x refused"],
  ["a password with an at sign", "https://admin:hun@ter2@host", "https://CLASSIFIED@host"],
  ["one of two URLs", "https://192.0.2.1,https://u:p@192.0.2.2", "https://192.0.2.1,https://CLASSIFIED@192.0.2.2"],
  ["a kubeconfig's line", '    token: "hunter 2"\n    x: y', '    token: "CLASSIFIED"\n    x: y'],
  ["one of JSON", '{"password":"hunter2","a":1}', '{"password":"CLASSIFIED","a":1}'],
  ["JSON within JSON", '"{\\"id-token\\":\\"hunter2\\"}"', '"{\\"id-token\\":\\"CLASSIFIED\\"}"'],
  ["a key in base64", "client-key-data: aHVudGVyMg==", "client-key-data: CLASSIFIED"],
  ["a variable", "PORTOLAN_API_KEY=hunter2 HOME=/root", "PORTOLAN_API_KEY=CLASSIFIED HOME=/root"],
  ["a header", "Authorization: Bearer hunter2", "Authorization: Bearer CLASSIFIED"],
  ["a web token", `said ${JWT}.`, "said CLASSIFIED."],
  ["a private key", `a\n${PEM}\nb`, "a\nCLASSIFIED\nb"],
  ["half a private key", `a\n${PEM.slice(0, 40)}`, "a\nCLASSIFIED"],
  ["a private key in base64", `x ${Buffer.from(PEM).toString("base64")} y`, "x CLASSIFIED y"],
])("%s is taken out", (_what, text, clean) => {
  expect(withoutSecrets(text)).toBe(clean);
});

test.each([
  '"service": "shop/token:http", "name": "secret"',
  'portolan_service_connections_total{service="shop/my-password:https"} 7',
  "https://192.0.2.1:6443/api?x=a@b, someone@example.org",
  "tokens are read anew; secrets: none",
  "10.96.0.1:80 -> 10.244.0.7:8080 basic",
])("%s stays", (text) => {
  expect(withoutSecrets(text)).toBe(text);
});
