/** Starts the page: first figures, the live stream, and the frame. */
import { render } from "preact";
import { App } from "./app.tsx";
import { refreshHealth, refreshRegions, refreshStatus } from "./state/market.ts";
import { startStream } from "./state/stream.ts";
import "./styles/tokens.css";
import "./styles/frame.css";
import "./styles/parts.css";
import "./styles/pages.css";
import "./styles/motion.css";

const root = document.getElementById("app");
if (root !== null) render(<App />, root);
void Promise.all([refreshStatus(), refreshRegions(), refreshHealth()]);
startStream();
