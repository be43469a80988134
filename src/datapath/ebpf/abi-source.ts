// SPDX-License-Identifier: Apache-2.0
// Writes the text of abi.gen.ts from the structs and enums of abi.h.

import type { BtfField, BtfType } from "../../libbpf/types.ts";
import { type BtfStruct, layoutOf, PADDING } from "./abi-layout.ts";
import type { BtfEnum } from "./btf-json.ts";

/** The whole file. Structs that hold a union get a size only; read and write their parts instead. */
export function abiSource(types: readonly (BtfStruct | BtfEnum)[]): string {
  const structs = types.filter((type): type is BtfStruct => type.kind !== "enum");
  const enums = types.filter((type): type is BtfEnum => type.kind === "enum");
  const body = [...enums.map(enumSource), ...structs.map(structSource), layoutsSource(structs)].join("\n");
  const helpers = ["readBytes", "readText", "writeBytes", "writeText", "writeZeros"].filter((name) =>
    body.includes(`${name}(`),
  );
  return `// SPDX-License-Identifier: Apache-2.0
// Generated from the BTF of bpf/abi.h by gen-abi.ts; do not edit. Meant to be imported as a namespace:
// import * as abi from "./abi.gen.ts".

import type { StructLayout } from "./abi-layout.ts";
import { type Codec, HOST_LITTLE_ENDIAN as LE, ${helpers.join(", ")} } from "./codec.ts";

${body}`;
}

function enumSource(type: BtfEnum): string {
  const pascal = toPascal(type.name);
  const names = Object.keys(type.values);
  const prefix = commonPrefix(names);
  const values = names.map((name) => `  ${name}: ${type.values[name]},\n`).join("");
  const words = names.map((name) => `  ${type.values[name]}: "${name.slice(prefix.length).toLowerCase()}",\n`).join("");
  const nameTable = type.name === "limits" || type.name === "portolan_abi" ? "" : enumNames(pascal, words);
  return `export const ${pascal} = {\n${values}} as const;\n${nameTable}`;
}

function enumNames(pascal: string, words: string): string {
  const table = `${pascal.charAt(0).toLowerCase()}${pascal.slice(1)}Names`;
  return `/** value → name without its prefix */\nexport const ${table}: Readonly<Record<number, string>> = {\n${words}};\n`;
}

function structSource(type: BtfStruct): string {
  const pascal = toPascal(type.name);
  const constant = toCamel(type.name);
  if (isAddress(type) || type.fields.some((field) => field.type.kind === "union")) {
    return `export const ${constant} = { name: "${type.name}", size: ${type.size} } as const;\n`;
  }
  const real = type.fields.filter((field) => !PADDING.test(field.name));
  const members = real.map((field) => `  readonly ${toCamel(field.name)}: ${tsType(field.type)};\n`).join("");
  const offsets = real.map((field) => `  ${toCamel(field.name)}: ${field.offset},\n`).join("");
  const reads = real.map((field) => `      ${toCamel(field.name)}: ${readSource(field)},\n`).join("");
  const writes = type.fields.map((field) => `    ${writeSource(field)}\n`).join("");
  return `export interface ${pascal} {\n${members}}
/** bytes from the start of the struct */
export const ${constant}Offset = {\n${offsets}} as const;
export const ${constant}: Codec<${pascal}> = {
  name: "${type.name}",
  size: ${type.size},
  read(view: DataView, offset: number): ${pascal} {
    return {\n${reads}    };
  },
  write(view: DataView, offset: number, value: ${pascal}): void {
${writes}  },
};
`;
}

function layoutsSource(structs: readonly BtfStruct[]): string {
  const lines = structs.map((type) => {
    const layout = layoutOf(type);
    const fields = Object.entries(layout.fields).map(([name, [offset, words]]) => `${name}: [${offset}, "${words}"]`);
    return `  ${type.name}: { size: ${layout.size}, fields: { ${fields.join(", ")} } },\n`;
  });
  return `/** C name → layout, for the check at load. */
export const layouts: Readonly<Record<string, StructLayout>> = {\n${lines.join("")}};\n`;
}

/** struct ip_addr: bytes in wire order to us, whatever its words. */
function isAddress(type: BtfType): boolean {
  return type.kind === "struct" && type.name === "ip_addr";
}

function tsType(type: BtfType): string {
  if (isAddress(type)) return "Uint8Array";
  if (type.kind === "struct") return toPascal(type.name);
  if (type.kind === "array" && type.element.kind === "int" && type.element.char) return "string";
  if (type.kind === "array" && isByte(type.element)) return "Uint8Array";
  if (type.kind === "array") return `readonly ${tsType(type.element)}[]`;
  return type.kind === "int" && type.size === 8 ? "bigint" : "number";
}

function readSource(field: BtfField): string {
  const { type } = field;
  if (type.kind !== "array") return readOne(type, `offset + ${field.offset}`);
  if (type.element.kind === "int" && type.element.char)
    return `readText(view, offset + ${field.offset}, ${type.length})`;
  if (isByte(type.element)) return `readBytes(view, offset + ${field.offset}, ${type.length})`;
  const at = `offset + ${field.offset} + i * ${sizeOf(type.element)}`;
  return `Array.from({ length: ${type.length} }, (_, i) => ${readOne(type.element, at)})`;
}

function readOne(type: BtfType, at: string): string {
  if (isAddress(type)) return `readBytes(view, ${at}, ${sizeOf(type)})`;
  if (type.kind === "struct") return `${toCamel(type.name)}.read(view, ${at})`;
  return `view.get${accessor(type)}(${at}${order(type)})`;
}

function writeSource(field: BtfField): string {
  const { type } = field;
  const at = `offset + ${field.offset}`;
  const value = `value.${toCamel(field.name)}`;
  if (PADDING.test(field.name)) return `writeZeros(view, ${at}, ${sizeOf(type)});`;
  if (type.kind !== "array") return `${writeOne(type, at, value)};`;
  if (type.element.kind === "int" && type.element.char) return `writeText(view, ${at}, ${type.length}, ${value});`;
  if (isByte(type.element)) return `writeBytes(view, ${at}, ${type.length}, ${value});`;
  const one = writeOne(type.element, `${at} + i * ${sizeOf(type.element)}`, "item");
  const item = type.element.kind === "int" ? `const item = ${value}[i] ?? 0` : `const item = ${value}[i]`;
  const guarded = type.element.kind === "int" ? one : `if (item !== undefined) ${one}`;
  return `for (let i = 0; i < ${type.length}; i++) {\n      ${item};\n      ${guarded};\n    }`;
}

function writeOne(type: BtfType, at: string, value: string): string {
  if (isAddress(type)) return `writeBytes(view, ${at}, ${sizeOf(type)}, ${value})`;
  if (type.kind === "struct") return `${toCamel(type.name)}.write(view, ${at}, ${value})`;
  return `view.set${accessor(type)}(${at}, ${value}${order(type)})`;
}

function accessor(type: BtfType): string {
  if (type.kind === "int") return type.size === 8 ? "BigUint64" : `Uint${type.size * 8}`;
  if (type.kind === "enum") return `Uint${type.size * 8}`;
  throw new Error(`abi.h: a ${type.kind} where a number is expected`);
}

function order(type: BtfType): string {
  if (type.kind !== "int" || type.size === 1) return "";
  return type.bigEndian ? ", false" : ", LE";
}

function isByte(type: BtfType): boolean {
  return type.kind === "int" && type.size === 1 && !type.char;
}

function sizeOf(type: BtfType): number {
  return type.kind === "array" ? type.length * sizeOf(type.element) : type.size;
}

function commonPrefix(names: readonly string[]): string {
  const [first = ""] = names;
  if (names.length === 1) return first.slice(0, first.indexOf("_") + 1);
  let end = first.lastIndexOf("_") + 1;
  while (end > 0 && !names.every((name) => name.startsWith(first.slice(0, end)))) {
    end = first.slice(0, end - 1).lastIndexOf("_") + 1;
  }
  return first.slice(0, end);
}

function toCamel(name: string): string {
  return name.replace(/_$/, "").replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

function toPascal(name: string): string {
  const camel = toCamel(name);
  return camel.charAt(0).toUpperCase() + camel.slice(1);
}
