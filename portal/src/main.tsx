import { render } from "preact";
import { App } from "./app";
import { parsed } from "./route";
import { loadScreen } from "./screens/load";
import { Refused } from "./screens/refused";
import { begin, LogInRefused } from "./session";
import "./style.css";

const root = document.getElementById("page");
if (root) {
  // The screen is loaded beside the session, and not after it. Whether it can be is told where it is shown.
  const { screen } = parsed(location.hash);
  if (screen) loadScreen(screen).catch(() => {});
  try {
    if (await begin()) render(<App />, root);
  } catch (thrown) {
    render(<Refused reason={thrown instanceof LogInRefused ? thrown.message : ""} />, root);
  }
}
