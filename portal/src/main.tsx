import { render } from "preact";
import { App } from "./app";
import { Refused } from "./screens/refused";
import { begin, LogInRefused } from "./session";
import "./style.css";

const root = document.getElementById("page");
if (root) {
  try {
    if (await begin()) render(<App />, root);
  } catch (thrown) {
    render(<Refused reason={thrown instanceof LogInRefused ? thrown.message : ""} />, root);
  }
}
