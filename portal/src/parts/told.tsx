/** What has just been done. The button that did it is often gone, so this takes the focus, and is read out. */

import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

export function Told({ children }: { children: ComponentChildren }) {
  const box = useRef<HTMLParagraphElement>(null);
  useEffect(() => box.current?.focus(), []);
  return (
    <p ref={box} class="note" role="status" tabIndex={-1}>
      {children}
    </p>
  );
}
