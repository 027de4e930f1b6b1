import type { ComponentChildren } from "preact";

interface MeterProps {
  label: string;
  /** How full, in percent as the API writes it; null without an upper limit. */
  used: string | null;
  children: ComponentChildren;
}

/** How full a tier is, as a bar and in words. */
export function Meter({ label, used, children }: MeterProps) {
  const value = used === null ? 0 : Math.min(100, Number(used));
  return (
    <p class="meter">
      {used !== null && <meter aria-label={label} min={0} max={100} low={75} high={90} optimum={0} value={value} />}
      <span class="small">{children}</span>
    </p>
  );
}
