// SPDX-License-Identifier: Apache-2.0
// The driver of mode ipvs: what Services want goes into virtual servers, sets and the addresses of one device; the rules around
// them stay as they are. Written by ipvsadm, ipset, ip and iptables-restore.

import type { Family } from "../../model/ip.ts";
import type { ApplyReport } from "../contract.ts";
import { chooseVariant, type VariantChoice } from "../iptables/variant.ts";
import { runIp } from "../netfilter/ip.ts";
import { destroySets, restoreSets } from "../netfilter/ipset.ts";
import type { Variant } from "../netfilter/iptables.ts";
import { isIpvsOurs } from "../netfilter/ipvs-mode.ts";
import { IPVS_DEVICE } from "../netfilter/ipvs-names.ts";
import { deleteVirtualServers, ipvsadm, readCarried, readIpVs, serverName } from "../netfilter/virtual-servers.ts";
import type { RuleSettings, RuleWriter, Surroundings, Wanted } from "../rules/writer.ts";
import { readAddresses, readKernel, readServers } from "./kernel.ts";
import { Ledger } from "./ledger.ts";
import { type Counts, type Lines, Mirror } from "./mirror.ts";
import { type TableRules, tableRules } from "./rules.ts";
import { creation, namesOf } from "./sets.ts";
import { shareOf } from "./share.ts";
import { setSysctls } from "./sysctls.ts";
import { removeTables, tablesHold, writeTables } from "./tables.ts";

/** From one look at everything to the next; what lies between asks whether rules and device are there. */
const THOROUGH_MS = 30_000;
const FAMILIES: readonly Family[] = [4, 6];

export interface IpvsOptions {
  /** Where the rules around IPVS are written. */
  readonly variant: VariantChoice;
  /** How IPVS chooses, by the kernel's name for it: "rr". */
  readonly scheduler: string;
  /** The node answers ARP only where the address is: not for VIPs, which somebody else may announce. */
  readonly strictArp: boolean;
  /** Told what does not keep Services from being served. */
  readonly warn: (message: string) => void;
}

export class IpvsWriter implements RuleWriter {
  readonly mode = "ipvs";
  readonly #settings: RuleSettings;
  readonly #options: IpvsOptions;
  readonly #ledger = new Ledger();
  #mirror = new Mirror();
  /** As found at the last whole write. */
  #variant: Variant = "nft";
  /** As they were last written; undefined: not known. */
  #tables: ReadonlyMap<Family, readonly TableRules[]> | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(settings: RuleSettings, options: IpvsOptions) {
    this.#settings = settings;
    this.#options = options;
  }

  async write(wanted: Wanted): Promise<ApplyReport> {
    const { whole, surroundings, surroundingsChanged } = wanted;
    const report = this.#put(wanted);
    if (whole) await this.#begin();
    const touched = this.#ledger.takeTouched();
    const counts: Counts = { frontendsWritten: 0, frontendsRemoved: 0, backendsWritten: 0 };
    const lines = this.#mirror.fit(whole ? this.#mirror.all(this.#ledger) : touched, this.#ledger, counts);
    await restoreSets(lines.addMembers);
    if (whole || surroundingsChanged) await this.#writeTables(surroundings);
    await this.#run(lines);
    await restoreSets(lines.removeMembers);
    await this.#drain();
    return { ...report, ...counts };
  }

  async intact(): Promise<boolean> {
    await this.#drain();
    const thorough = performance.now() - this.#lookedAt >= THOROUGH_MS;
    if (thorough) this.#lookedAt = performance.now();
    const { device, vips } = readAddresses();
    if (!device || vips.size < this.#mirror.vipCount || !this.#tables) return false;
    for (const [family, tables] of this.#tables) if (!(await tablesHold(family, this.#variant, tables))) return false;
    if (thorough) return this.#mirror.isIn(await readKernel());
    return this.#mirror.serverCount === 0 || /^(?:TCP|UDP|SCTP) /m.test(await readIpVs());
  }

  async faults(): Promise<readonly string[]> {
    const faults: string[] = [];
    for (const [family, tables] of this.#tables ?? []) {
      const command = family === 4 ? "iptables" : "ip6tables";
      if (!(await tablesHold(family, this.#variant, tables))) faults.push(`${command} chains PORTOLAN-IPVS`);
    }
    if (this.#tables && !this.#mirror.isIn(await readKernel())) {
      faults.push("virtual servers of ipvsadm, sets of ipset, or addresses of kube-ipvs0");
    }
    return faults;
  }

  async present(): Promise<boolean> {
    return await isIpvsOurs();
  }

  async cleanup(atOnce: boolean): Promise<boolean> {
    if (!(await this.present())) return true;
    const { servers, device } = await readKernel();
    if (!atOnce) {
      const carried = await readCarried(); // these would end with their virtual servers
      if (servers.some((server) => (carried.get(serverName(server)) ?? 0) > 0)) return false;
    }
    await deleteVirtualServers(servers);
    if (device) await runIp(["link", "delete", IPVS_DEVICE]);
    for (const family of FAMILIES) await removeTables(family);
    await destroySets(new Set(FAMILIES.flatMap((family) => namesOf(family))));
    this.#tables = undefined;
    return true;
  }

  /** Tells the ledger. */
  #put({
    services,
    changed,
    surroundings,
    surroundingsChanged,
    whole,
  }: Wanted): Pick<ApplyReport, "servicesWritten" | "servicesRemoved"> {
    const { scheduler } = this.#options;
    const everything = whole || surroundingsChanged;
    const keys = everything ? new Set([...services.keys(), ...this.#ledger.keys()]) : changed;
    let [servicesWritten, servicesRemoved] = [0, 0];
    for (const key of keys) {
      const service = services.get(key);
      const served = service && this.#settings.families.includes(service.family);
      const different = this.#ledger.put(key, served ? shareOf(service, surroundings, scheduler) : undefined);
      if (different && service) servicesWritten++;
      else if (different) servicesRemoved++;
    }
    return { servicesWritten, servicesRemoved };
  }

  /** Sees to it that all that lines refer to is there, and reads what the kernel holds. */
  async #begin(): Promise<void> {
    await ipvsadm(["-Ln"]); // loads the kernel's module, and says so if there is none
    setSysctls(this.#options.strictArp, this.#options.warn);
    const found = await readKernel();
    const { families } = this.#settings;
    if (!found.device) await runIp(["link", "add", IPVS_DEVICE, "type", "dummy"]);
    await restoreSets(families.flatMap((family) => creation(family, found.sets)));
    this.#mirror = new Mirror(found);
    this.#variant = await chooseVariant(families, this.#options.variant);
    this.#tables = undefined;
  }

  async #writeTables(surroundings: Surroundings): Promise<void> {
    const settings = this.#settings;
    const tables = new Map(settings.families.map((family) => [family, tableRules(family, surroundings, settings)]));
    const before = this.#tables;
    this.#tables = undefined;
    for (const [family, wanted] of tables) {
      if (JSON.stringify(before?.get(family)) !== JSON.stringify(wanted))
        await writeTables(family, this.#variant, wanted);
    }
    this.#tables = tables;
  }

  /** Before an address is taken in there is who serves it, and after it is gone who did may go. */
  async #run({
    servers,
    addAddresses,
    removeAddresses,
  }: Pick<Lines, "servers" | "addAddresses" | "removeAddresses">): Promise<void> {
    if (servers.length > 0) await ipvsadm(["-R"], `${servers.join("\n")}\n`);
    const addresses = [...addAddresses, ...removeAddresses];
    if (addresses.length > 0) await runIp(["-batch", "-"], `${addresses.join("\n")}\n`);
  }

  async #drain(): Promise<void> {
    if (!this.#mirror.drains) return;
    const lines = this.#mirror.drain(await readServers(), this.#ledger);
    await this.#run({ ...lines, addAddresses: [] });
  }
}
