// SPDX-License-Identifier: Apache-2.0
// Health check ports that are some Service's node port too: what arrives there is that Service's traffic, so the health
// checks of the other are never answered. Pure.

import { isHealthChecked, isProxied, type Service } from "../model/service.ts";

/** Services by `namespace/name` that use a port. */
interface Users {
  readonly healthChecks: Set<string>;
  readonly nodePorts: Set<string>;
}

export class PortClashes {
  readonly #users = new Map<number, Users>();
  /** Ports that a change has touched since the last take(). */
  readonly #touched = new Set<number>();
  /** Warnings that hold, by port. */
  readonly #told = new Map<number, readonly string[]>();

  change(previous: Service | undefined, current: Service | undefined): void {
    if (previous) this.#note(previous, (users, name) => users.delete(name));
    if (current) this.#note(current, (users, name) => users.add(name));
  }

  /** Warnings that have become true since the last call. */
  take(): readonly string[] {
    const fresh: string[] = [];
    for (const port of this.#touched) {
      const before = this.#told.get(port) ?? [];
      const now = this.#warnings(port);
      fresh.push(...now.filter((warning) => !before.includes(warning)));
      if (now.length > 0) this.#told.set(port, now);
      else this.#told.delete(port);
    }
    this.#touched.clear();
    return fresh;
  }

  #note(service: Service, act: (users: Set<string>, name: string) => void): void {
    if (!isProxied(service)) return;
    const name = [service.namespace, service.name].join("/");
    if (isHealthChecked(service)) act(this.#usersOf(service.healthCheckNodePort).healthChecks, name);
    for (const { protocol, nodePort } of service.ports) {
      if (protocol === "TCP" && nodePort !== 0) act(this.#usersOf(nodePort).nodePorts, name);
    }
  }

  #usersOf(port: number): Users {
    const users = this.#users.get(port) ?? { healthChecks: new Set(), nodePorts: new Set() };
    this.#users.set(port, users);
    this.#touched.add(port);
    return users;
  }

  #warnings(port: number): readonly string[] {
    const users = this.#users.get(port);
    if (!users) return [];
    if (users.healthChecks.size + users.nodePorts.size === 0) this.#users.delete(port);
    return [...users.healthChecks].flatMap((checked) =>
      [...users.nodePorts].map(
        (owner) =>
          `Service ${checked}: healthCheckNodePort ${port} is a node port of Service ${owner}, which gets what arrives there, so health checks of this one are not answered: give it a port of its own`,
      ),
    );
  }
}
