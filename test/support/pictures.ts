/**
 * `npm run pictures`: the README's pictures, taken from a running demo, so that they are never
 * stale. Half a market day is cleared first, as fast as possible; then the page is looked at live.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { BROWSER_FLAGS, CHROMIUM } from "./browser.ts";
import { gridlane, run } from "./command.ts";

const SLOTS_BEFORE = 42; // from sunrise to mid-afternoon
const OUT = "docs/pictures";

const directory = mkdtempSync(join(tmpdir(), "gridlane-pictures-"));
const data = ["--data", join(directory, "demo")];
try {
  const past = await run([
    "demo",
    "--slots",
    String(SLOTS_BEFORE),
    "--as-fast-as-possible",
    ...data,
  ]);
  if (past.code !== 0) throw new Error(past.stderr);
  const ports = ["--http-port", "0", "--mqtt-port", "0", "--slot-seconds", "4"];
  const demo = gridlane(["demo", ...ports, ...data]);
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: BROWSER_FLAGS });
  try {
    const [, url = ""] = await demo.says(/As a home\s+(http:\S+)/);
    const context = await browser.newContext({
      viewport: { width: 1280, height: 1240 },
      deviceScaleFactor: 1,
      reducedMotion: "reduce",
    });
    const page = await context.newPage();
    await page.goto(url);
    await demo.says(/\dZ {2}hill/);
    await page.getByTestId("slot-row").first().waitFor();
    for (const scheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme: scheme });
      await page.screenshot({ path: join(OUT, `home-${scheme}.png`) });
    }
    await page.emulateMedia({ colorScheme: "light" });
    await page.getByTestId("slot-row").first().click();
    await page.getByTestId("clearing-price").waitFor();
    await page.getByRole("img").first().waitFor();
    await page.screenshot({ path: join(OUT, "slot-light.png") });
  } finally {
    await browser.close();
    await demo.kill("SIGINT");
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
