// SPDX-License-Identifier: Apache-2.0
// Runs the node's iptables, in each of the variants that hold rules of this network namespace.

import { existsSync, readFileSync } from "node:fs";
import type { Family } from "../../model/ip.ts";
import { findCommand, NetfilterError, runCommand } from "./command.ts";

/** iptables waits this long for another process that holds its lock; then it fails. */
const LOCK_WAIT_S = 5;

export type TableName = "filter" | "nat" | "mangle";

/** One family's table, in one of the kernel's two places for it (nf_tables, or the tables of old). */
export interface RuleTable {
  /** Which one, as people call it: the path of its command. */
  readonly command: string;
  /** The policies, chains and rules, of one chain or of all, as `iptables -S` prints them. */
  rules(chain?: string): Promise<readonly string[]>;
  /** Changes it by lines of iptables-restore, all of them or none; other rules stay. */
  restore(lines: readonly string[]): Promise<void>;
}

/** nf_tables, or the tables of old. */
export type Variant = "nft" | "legacy";

/** Lines of iptables-restore for one table. */
export interface TableLines {
  readonly table: TableName;
  readonly lines: readonly string[];
}

class Iptables implements RuleTable {
  /** Absolute; its -restore stands beside it. */
  readonly command: string;
  readonly #table: TableName;

  constructor(command: string, table: TableName) {
    this.command = command;
    this.#table = table;
  }

  async rules(chain?: string): Promise<readonly string[]> {
    const which = chain === undefined ? [] : [chain];
    const listed = await runCommand(this.command, ["-w", String(LOCK_WAIT_S), "-t", this.#table, "-S", ...which]);
    return listed.split("\n").filter((line) => line !== "");
  }

  async restore(lines: readonly string[]): Promise<void> {
    await restoreAll(this.command, [{ table: this.#table, lines }]);
  }
}

/** Rejects with NetfilterError. */
export async function hasChain(table: RuleTable, chain: string): Promise<boolean> {
  try {
    await table.rules(chain);
    return true;
  } catch (error) {
    // The nft variant calls a chain that is not there incompatible.
    if (error instanceof NetfilterError && /No chain|incompatible|does not exist/.test(error.message)) return false;
    throw error;
  }
}

/** command: RuleTable.command. Each table all or nothing, in this order. Rejects with NetfilterError. */
export async function restoreAll(command: string, tables: readonly TableLines[]): Promise<void> {
  const input = tables.flatMap(({ table, lines }) => [`*${table}`, ...lines, "COMMIT"]);
  await runCommand(`${command}-restore`, ["-w", String(LOCK_WAIT_S), "--noflush"], `${input.join("\n")}\n`);
}

/** Of one variant; undefined: its command is not installed. */
export function variantTable(family: Family, table: TableName, variant: Variant): RuleTable | undefined {
  const base = family === 4 ? "iptables" : "ip6tables";
  const command = findCommand(`${base}-${variant}`) ?? (variant === "nft" ? findCommand(base) : undefined);
  return command === undefined ? undefined : new Iptables(command, table);
}

/**
 * The tables to write to: that of the nf_tables variant, and that of old where it is in use. None: the package iptables is not
 * there. Their functions throw NetfilterError.
 */
export function findTables(family: Family, table: TableName): readonly RuleTable[] {
  const base = family === 4 ? "iptables" : "ip6tables";
  const found: readonly (string | undefined)[] = [
    findCommand(`${base}-nft`),
    legacyInUse(family, table) ? findCommand(`${base}-legacy`) : undefined,
  ];
  const variants = found.filter((command) => command !== undefined);
  const plain = findCommand(base);
  return (variants.length === 0 && plain !== undefined ? [plain] : variants).map(
    (command) => new Iptables(command, table),
  );
}

/** What Service traffic is forwarded by. */
export function findFilterTables(family: Family): readonly RuleTable[] {
  return findTables(family, "filter");
}

/** The kernel lists the tables that this network namespace has; the file is not there without the old modules. */
export function legacyInUse(family: Family, table: TableName): boolean {
  const path = family === 4 ? "/proc/net/ip_tables_names" : "/proc/net/ip6_tables_names";
  return existsSync(path) && readFileSync(path, "utf8").split("\n").includes(table);
}
