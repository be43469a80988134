// SPDX-License-Identifier: Apache-2.0
// What the log says of sockets that are taken off endpoints which serve no more.

import type { SocketPassListener } from "../datapath/ebpf/stale-sockets.ts";
import type { Log } from "./log.ts";

export function socketLog(log: Log): SocketPassListener {
  let told = false;
  return {
    onPass: (pass) => {
      log[pass.sockets > 0 ? "info" : "debug"](pass, "sockets are off endpoints that serve no more");
      if (pass.hidden === 0 || told) return;
      told = true;
      const message = "network namespaces of some processes cannot be seen: their sockets stay on dead endpoints";
      log.warn({ processes: pass.hidden, missing: "CAP_SYS_PTRACE" }, message);
    },
    onError: (error) => log.error({ err: error }, "sockets could not all be looked through"),
  };
}
