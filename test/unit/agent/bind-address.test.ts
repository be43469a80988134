// SPDX-License-Identifier: Apache-2.0
// Addresses to listen on, as kube-proxy's flags take them.

import { expect, test } from "vitest";
import { parseBindAddress } from "../../../src/agent/bind-address.ts";

test.each([
  ["0.0.0.0:10256", { host: "0.0.0.0", port: 10256 }],
  ["127.0.0.1", { host: "127.0.0.1", port: 10249 }],
  ["192.0.2.7:1", { host: "192.0.2.7", port: 1 }],
  ["::", { host: "::", port: 10249 }],
  ["fd00::1", { host: "fd00::1", port: 10249 }],
  ["[::1]:65535", { host: "::1", port: 65535 }],
  ["[fd00::1]", { host: "fd00::1", port: 10249 }],
  ["", undefined],
])("%s is read", (text, expected) => {
  expect(parseBindAddress("--metrics-bind-address", text, 10249)).toEqual(expected);
});

test.each(["localhost:80", ":10249", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:", "[127.0.0.1]:80", "[::1", "off"])(
  "%s is refused, with the flag and what to give",
  (text) => {
    expect(() => parseBindAddress("--metrics-bind-address", text, 10249)).toThrow(
      `--metrics-bind-address: ${JSON.stringify(text)} is no IP address with a port or without: give 0.0.0.0:10249, [::1]:10249, 192.0.2.7, or nothing to switch it off`,
    );
  },
);
