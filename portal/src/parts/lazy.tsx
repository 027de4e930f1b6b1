import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Wait } from "./load";

/** A part of a screen that is loaded when it is first shown. A failure is thrown to the screen. */
export function lazyScreen<Props extends object>(load: () => Promise<{ default: ComponentType<Props> }>): ComponentType<Props> {
  let known: ComponentType<Props> | null = null;
  return function Lazy(props: Props) {
    const [state, setState] = useState<{ view: ComponentType<Props> } | { thrown: unknown } | null>(known && { view: known });
    useEffect(() => {
      let isShown = true;
      load().then(
        ({ default: view }) => {
          known = view;
          if (isShown) setState({ view });
        },
        (thrown: unknown) => isShown && setState({ thrown }),
      );
      return () => {
        isShown = false;
      };
    }, []);
    if (!state) return <Wait />;
    if ("thrown" in state) throw state.thrown;
    const View = state.view;
    return <View {...props} />;
  };
}
