/** Columns over time with lines across, drawn as SVG at the width that there is. The same figures are in a table below it. */

import { useEffect, useRef, useState } from "preact/hooks";
import { number } from "../format";

export interface Column {
  key: string;
  label: string;
  value: number;
  /** A part of the value that does not count, such as a peak. It is hatched, and named in the table. */
  hatched?: number;
  /** Not over yet. */
  isRunning?: boolean;
}

export interface Line {
  label: string;
  value: number;
  kind: "limit" | "mark" | "average";
}

interface ChartProps {
  title: string;
  columns: readonly Column[];
  lines: readonly Line[];
}

const HEIGHT = 260;
const TOP = 12;
const BOTTOM = 28;
/** Room at the right; where there is enough, also for the names of lines, which are over the columns otherwise. */
const RIGHT = 8;
const NAMES = 130;
const WIDE = 640;
const LABEL_WIDTH = 64;
const NAME_HEIGHT = 13;

export function Chart({ title, columns, lines }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    if (!box.current) return;
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry?.contentRect.width ?? 0)));
    observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
  const highest = Math.max(1, ...columns.map(({ value }) => value), ...lines.map(({ value }) => value)) * 1.08;
  const ticks = steps(highest);
  const left = Math.min(width / 4, Math.max(...ticks.map((each) => number(each).length)) * 8 + 10);
  const isWide = width >= WIDE && lines.length > 0;
  const right = isWide ? NAMES : RIGHT;
  const y = (value: number) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / highest);
  const each = Math.max(0, width - left - right) / Math.max(1, columns.length);
  const shown = Math.max(1, Math.ceil(LABEL_WIDTH / Math.max(1, each)));
  const names = placed(lines, y);
  const bar = Math.min(56, each * 0.7);
  return (
    <div ref={box} class="chart">
      {width > 0 && (
        <svg width={width} height={HEIGHT} role="img" aria-label={title}>
          <defs>
            <pattern id="hatched" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
              <rect width="3" height="6" class="bar" />
            </pattern>
          </defs>
          {ticks.map((value) => (
            <g key={value} class="tick">
              <line x1={left} x2={width - right} y1={y(value)} y2={y(value)} />
              <text x={left - 6} y={y(value) + 4} text-anchor="end">
                {number(value)}
              </text>
            </g>
          ))}
          {columns.map(({ key, label, value: of, hatched: part = 0, isRunning }, place) => {
            // Corrections can take back more than there is, also of what once was a peak.
            const value = Math.max(0, of);
            const hatched = Math.min(value, Math.max(0, part));
            const x = left + place * each + (each - bar) / 2;
            return (
              <g key={key}>
                <rect x={x} width={bar} y={y(value - hatched)} height={y(0) - y(value - hatched)} class={isRunning ? "bar running" : "bar"} />
                {hatched > 0 && <rect x={x} width={bar} y={y(value)} height={y(value - hatched) - y(value)} fill="url(#hatched)" />}
                {place % shown === 0 && (
                  <text x={x + bar / 2} y={HEIGHT - 8} text-anchor="middle" class="label">
                    {label}
                  </text>
                )}
              </g>
            );
          })}
          {lines.map(({ label, value, kind }) => (
            <g key={label} class={kind}>
              <line x1={left} x2={width - right} y1={y(value)} y2={y(value)} />
              {names.has(label) && (
                <text x={isWide ? width - right + 6 : width - right} y={names.get(label)} text-anchor={isWide ? "start" : "end"}>
                  {label}
                </text>
              )}
            </g>
          ))}
        </svg>
      )}
    </div>
  );
}

/** Where the names of lines are, above their line or else below it. One without room has none. */
function placed(lines: readonly Line[], y: (value: number) => number): Map<string, number> {
  const found = new Map<string, number>();
  const first = (kind: Line["kind"]) => (kind === "mark" ? 1 : 0);
  for (const { label, value } of [...lines].sort((one, other) => first(one.kind) - first(other.kind))) {
    const isFree = (place: number) => [...found.values()].every((other) => Math.abs(other - place) >= NAME_HEIGHT);
    const place = [y(value) - 4, y(value) + 12].find(isFree);
    if (place !== undefined) found.set(label, place);
  }
  return found;
}

/** Round values from zero on, four or five of them. */
function steps(highest: number): number[] {
  const rough = highest / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 2.5, 5, 10].find((each) => each * power >= rough) ?? 10) * power;
  return Array.from({ length: Math.floor(highest / step) + 1 }, (_, place) => place * step);
}
