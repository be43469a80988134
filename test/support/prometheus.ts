// SPDX-License-Identifier: Apache-2.0
// Reads Prometheus' text format 0.0.4 strictly: every sample stands below the TYPE of its metric, and none twice.

export interface ScrapedMetric {
  readonly type: string;
  readonly help: string;
  /** Value by `name{labels}` as written; for a histogram those of _bucket, _sum and _count. */
  readonly samples: ReadonlyMap<string, number>;
}

/** By name. Throws for a line that the format does not have. */
export function parseExposition(text: string): ReadonlyMap<string, ScrapedMetric> {
  const found = new Map<string, { type: string; help: string; samples: Map<string, number> }>();
  let name = "";
  if (!text.endsWith("\n")) throw new Error("the last line has no end");
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const help = /^# HELP (\S+) (.*)$/.exec(line);
    const type = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line);
    const sample = /^(([a-z_]+)(?:\{(?:[a-z_]+="[^"\\\n]*",?)*\})?) (\S+)$/.exec(line);
    if (help) {
      name = help[1] ?? "";
      if (found.has(name)) throw new Error(`${name} stands twice`);
      found.set(name, { type: "", help: help[2] ?? "", samples: new Map() });
      continue;
    }
    const metric = found.get(name);
    if (!metric) throw new Error(`before the first HELP: ${line}`);
    if (type) {
      if (type[1] !== name) throw new Error(`TYPE of another metric than ${name}: ${line}`);
      metric.type = type[2] ?? "";
    } else if (sample) addSample(name, metric, sample);
    else throw new Error(`no line of the format: ${line}`);
  }
  return found;
}

function addSample(
  name: string,
  metric: { readonly type: string; readonly samples: Map<string, number> },
  [line, series = "", ownName = "", value]: readonly string[],
): void {
  const names = metric.type === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name];
  if (!names.includes(ownName)) throw new Error(`not of ${metric.type} ${name}: ${line}`);
  if (metric.samples.has(series)) throw new Error(`twice: ${line}`);
  const number = Number(value);
  if (Number.isNaN(number)) throw new Error(`no number: ${line}`);
  metric.samples.set(series, number);
}
