// SPDX-License-Identifier: Apache-2.0
// A number that is read when somebody asks for it.

import { Gauge, type Registry } from "prom-client";

export function registerGauge(registry: Registry, name: string, help: string, read: () => number): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(read());
    },
  });
}
