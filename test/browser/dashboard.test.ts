/**
 * The built dashboard in a real browser (Debian's chromium), against an API of its own shapes.
 * Method: each page as a visitor and as a member reads it; then light and dark, phone width,
 * keyboard, axe-core; then a node that fails, forges, forgets or dies. Skips without chromium.
 * DASHBOARD_SHOTS=directory also writes pictures of the pages.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type Browser, chromium, type Page } from "playwright-core";
import { build } from "vite";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { BROWSER_FLAGS, CHROMIUM } from "../support/browser.ts";
import {
  DAY_START_SLOT,
  type DashboardFixture,
  LAST_SLOT,
  PAIRING_CODE,
  startFixture,
} from "./dashboard-fixture.ts";

const DESKTOP = { width: 1280, height: 900 };
const PHONE = { width: 360, height: 740 };
const FIRST_LOAD_BYTES_MAX = 120_000; // gzip, without the charts, which load with their page
const SHOTS = process.env.DASHBOARD_SHOTS;

type Look = { viewport: typeof DESKTOP; colorScheme: "light" | "dark" };

describe.skipIf(!existsSync(CHROMIUM))("dashboard", () => {
  let dist = "";
  let browser: Browser;
  let fixture: DashboardFixture;
  let faults: string[] = [];

  beforeAll(async () => {
    dist = await mkdtemp(join(tmpdir(), "gridlane-dashboard-"));
    await build({
      root: "dashboard",
      configFile: "dashboard/vite.config.ts",
      logLevel: "silent",
      build: { outDir: dist },
    });
    browser = await chromium.launch({ executablePath: CHROMIUM, args: BROWSER_FLAGS });
  });
  afterAll(async () => {
    await browser?.close();
    await rm(dist, { recursive: true, force: true });
  });
  beforeEach(async () => {
    faults = [];
    fixture = await startFixture(dist);
  });
  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()));
    await fixture.close();
  });

  async function open(path: string, look: Partial<Look> = {}): Promise<Page> {
    const context = await browser.newContext({
      viewport: look.viewport ?? DESKTOP,
      colorScheme: look.colorScheme ?? "light",
      locale: "en-GB",
      timezoneId: "America/Los_Angeles", // far from the community, whose times are shown
      reducedMotion: "reduce",
    });
    const page = await context.newPage();
    page.on("pageerror", (error) => faults.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error") faults.push(message.text());
    });
    page.setDefaultTimeout(10_000);
    await page.goto(fixture.url + path);
    return page;
  }

  async function openPaired(look: Partial<Look> = {}): Promise<Page> {
    const page = await open(`#/pair/${PAIRING_CODE}`, look);
    await page.getByRole("heading", { name: "Home 04" }).waitFor();
    return page;
  }

  async function openSlot(look: Partial<Look> = {}): Promise<Page> {
    const page = await openPaired(look);
    await page.getByTestId("slot-row").first().click();
    await page.getByTestId("clearing-price").waitFor();
    return page;
  }

  test("a visitor sees the community, the last price, the day and the way in", async () => {
    const page = await open("");
    await expect.poll(() => page.getByTestId("live-indicator").textContent()).toMatch(/^Live/);
    const summary = page.getByTestId("home-summary");
    await summary.getByText("Where the solar power went").waitFor();
    expect(await summary.textContent()).not.toContain("You");
    await page.getByRole("textbox", { name: "Pairing code" }).waitFor();
    expect(await page.getByTestId("last-price").textContent()).toBe("19.00 ct/kWh");
    const first = page.getByTestId("slot-row").first();
    expect(await first.getAttribute("data-slot")).toBe(String(LAST_SLOT));
    expect(await first.textContent()).toContain("14:15–14:30");
    await page.getByText("2 slots are missing and stay gaps.").waitFor();
    expect(await page.getByTestId("health").textContent()).toContain("82 of 83 meters reported");
    await shot(page, "home-visitor");
    expect(faults).toEqual([]);
  });

  test("the price curve has a table twin, keeps gaps, and answers the arrow keys", async () => {
    const page = await open("");
    await page.getByText("Show as table").click();
    const table = page.locator("details table");
    expect(await table.locator("tbody tr").first().textContent()).toBe(
      "14:15–14:3019.0019.0010.261.18",
    );
    await table.getByText("no data").waitFor();
    const canvas = page.getByRole("img", { name: /^Line chart of the community price/ });
    await canvas.focus();
    const before = await canvas.screenshot();
    await canvas.press("ArrowRight");
    expect(before.equals(await canvas.screenshot())).toBe(false);
    expect(faults).toEqual([]);
  });

  test("a wrong code is refused with its reason, the right one shows the own figures", async () => {
    const page = await open("#/pair/WRONG");
    await page.getByText("this code is unknown or has expired").waitFor();
    expect(await page.getByRole("textbox").inputValue()).toBe("WRONG");
    await page.getByRole("textbox").fill(PAIRING_CODE);
    await page.getByRole("button", { name: "Pair" }).click();
    await page.getByRole("heading", { name: "Home 04" }).waitFor();
    const summary = page.getByTestId("home-summary");
    await summary.getByText("Where my solar power went").waitFor();
    expect(await summary.getByText("Whole community").count()).toBeGreaterThan(1);
    await summary.getByText("earned €1.77").waitFor();
    await summary.getByText("Last slot").click();
    await summary.getByText("earned €0.042").waitFor();
    await page.reload();
    await page.getByRole("heading", { name: "Home 04" }).waitFor();
    await shot(page, "home-member");
    await page.getByRole("button", { name: "Unpair this browser" }).click();
    await page.getByRole("textbox", { name: "Pairing code" }).waitFor();
  });

  test("a new slot appears by itself, once, and nothing is made up before it", async () => {
    const page = await open("");
    const rows = page.getByTestId("slot-row");
    await expect.poll(() => rows.first().getAttribute("data-slot")).toBe(String(LAST_SLOT));
    await expect.poll(() => page.getByTestId("live-indicator").textContent()).toMatch(/^Live/);
    const slot = fixture.clearSlot();
    await expect.poll(() => rows.first().getAttribute("data-slot")).toBe(String(slot));
    expect(await page.locator(`[data-slot="${slot}"]`).count()).toBe(1);
    await page.getByText("Slot 14:30–14:45 cleared in").waitFor({ state: "attached" });
    expect(faults).toEqual([]);
  });

  test("a slot shows its auction, the own order and why, its flows and its roots", async () => {
    const page = await openSlot();
    const price = page.getByTestId("clearing-price");
    expect(await price.textContent()).toBe("19.00 ct/kWh");
    expect(await price.getAttribute("data-uc-per-wh")).toBe("19000");
    const own = await page.getByTestId("own-order").textContent();
    expect(own).toContain("You offered 0.41 kWh at 11.50 ct/kWh or more.");
    expect(own).toContain("Part of it traded inside the market");
    await page.getByText("line full").waitFor();
    expect(await page.locator(".hash").first().textContent()).toMatch(/^0x[0-9a-f]{64}$/);
    await page.getByText("Show as table").click();
    expect(await page.locator("details tbody tr").count()).toBe(8);
    await shot(page, "slot");
    await page.getByTestId("slot-previous").click();
    await page.getByRole("heading", { name: "Slot 14:00–14:15" }).waitFor();
    expect(faults).toEqual([]);
  });

  test("a slot that has not cleared says so, and shows itself when it does", async () => {
    const page = await open(`#/regions/muehlbach/slots/${LAST_SLOT + 1}`);
    await page.getByText("has not cleared yet").waitFor();
    await expect.poll(() => page.getByTestId("live-indicator").textContent()).toMatch(/^Live/);
    fixture.clearSlot();
    await page.getByTestId("clearing-price").waitFor();
  });

  test("regions can be switched, and hostile names are text", async () => {
    const page = await open("");
    await page.getByTestId("region-switcher").selectOption("hostile");
    await expect.poll(() => page.url()).toContain("#/regions/hostile");
    await page.getByText(/^Price in Harbour/).waitFor();
    await page.getByText('Harbour <img src=x onerror="document.title=1">').first().waitFor();
    expect(await page.title()).toBe("gridlane");
    expect(await page.locator("img").count()).toBe(0);
    await page.goto(`${fixture.url}#/regions/nowhere`);
    await page.getByRole("heading", { name: "There is no such region" }).waitFor();
    expect(faults).toEqual([]);
  });

  test("a bill line is verified step by step, and a forged one fails at its step", async () => {
    const page = await openPaired();
    await page.getByRole("link", { name: "My bill" }).click();
    const line = page.getByTestId("bill-line").first();
    await line.getByTestId("verify").click();
    await line.getByText("This line is proved.").waitFor();
    expect(await line.locator('[data-result="holds"]').count()).toBe(6);
    await shot(page, "bill");
    expect(faults).toEqual([]);
    fixture.behave("forging");
    await line.getByTestId("verify").click();
    await line.getByText("This line could not be proved.").waitFor();
    expect(await line.locator('[data-result="fails"]').textContent()).toContain(
      "signed the header",
    );
  });

  test("a session that the node no longer knows ends in words", async () => {
    const page = await openPaired();
    fixture.behave("forgetting");
    // No reload: an answer still under way may end the session first, and a reload would then find
    // a visitor, who is told nothing.
    fixture.clearSlot();
    await page.getByText("Your session has ended.").waitFor();
    expect(await page.getByRole("link", { name: "My bill" }).count()).toBe(0);
  });

  test("a failing node gives a sentence and a way to try again, never a blank page", async () => {
    fixture.behave("failing");
    const page = await open("");
    await page.getByText("the store is being repaired").waitFor();
    fixture.behave("well");
    await page.getByRole("button", { name: "Try again" }).first().click();
    await page.getByTestId("last-price").waitFor();
  });

  test("when the node dies, the page says so and keeps what it knew", async () => {
    const page = await open("");
    await page.getByTestId("last-price").waitFor();
    await expect.poll(() => page.getByTestId("live-indicator").textContent()).toMatch(/^Live/);
    await fixture.die();
    await expect.poll(() => page.getByTestId("live-indicator").textContent()).toMatch(/^Reconn/);
    await page.getByTestId("offline-banner").waitFor();
    expect(await page.getByTestId("health").textContent()).toContain("health is not known");
    expect(await page.getByTestId("live-indicator").textContent()).toMatch(/^Offline/);
    expect(await page.getByTestId("last-price").textContent()).toBe("19.00 ct/kWh");
    await shot(page, "offline");
  });

  test("the theme follows the system, can be chosen, and the choice is kept", async () => {
    const page = await open("", { colorScheme: "dark" });
    await page.getByTestId("last-price").waitFor();
    const ground = () => page.evaluate("getComputedStyle(document.body).backgroundColor");
    const dark = await ground();
    await page.getByRole("button", { name: "Use the light theme" }).click();
    const light = await ground();
    expect(light).not.toBe(dark);
    await page.reload();
    await page.getByRole("button", { name: "Use the dark theme" }).waitFor();
    expect(await ground()).toBe(light);
  });

  describe.each(["light", "dark"] as const)("%s", (colorScheme) => {
    test.each([
      { name: "home", path: "" },
      { name: "slot", path: `#/regions/sonnenfeld/slots/${LAST_SLOT}` },
      { name: "an early slot", path: `#/regions/muehlbach/slots/${DAY_START_SLOT + 30}` },
      { name: "bill", path: "#/bill" },
    ])("$name is clean for axe-core and fits a phone", async ({ name, path }) => {
      const page = await openPaired({ colorScheme });
      await page.goto(fixture.url + path);
      await settled(page, name);
      expect(await axeViolations(page)).toEqual([]);
      await shot(page, `${colorScheme}-${name}`);
      await page.setViewportSize(PHONE);
      await expect.poll(() => overflowPx(page)).toBe(0);
      expect(await axeViolations(page)).toEqual([]);
      await shot(page, `${colorScheme}-phone-${name}`);
    });
  });

  test("every control can be reached and worked by keyboard", async () => {
    const page = await openPaired();
    await page.getByTestId("slot-row").first().waitFor();
    const reached = new Set<string>();
    for (let i = 0; i < 40; i++) {
      await page.keyboard.press("Tab");
      reached.add(String(await page.evaluate(FOCUSED)));
    }
    for (const control of ["skip", "theme-toggle", "window", "region-switcher", "slot-row"]) {
      expect(reached, control).toContain(control);
    }
    await page.getByTestId("slot-row").nth(1).focus();
    await page.keyboard.press("Enter");
    await page.getByTestId("clearing-price").waitFor();
  });

  test("the first load stays small", () => {
    const html = readFileSync(join(dist, "index.html"), "utf8");
    const first = [...html.matchAll(/(?:src|href)="\.\/([^"]+)"/g)].map((match) => match[1]!);
    const gzipBytes = ["index.html", ...first].reduce(
      (sum, file) => sum + gzipSync(readFileSync(join(dist, file))).length,
      0,
    );
    expect(readdirSync(join(dist, "assets")).length).toBeGreaterThan(3);
    expect(gzipBytes).toBeLessThan(FIRST_LOAD_BYTES_MAX);
  });
});

const FOCUSED = `(() => {
  const element = document.activeElement;
  return element?.dataset.testid || element?.name || element?.className || "";
})()`;

async function settled(page: Page, name: string): Promise<void> {
  if (name === "bill") await page.getByTestId("bill-line").first().waitFor();
  else await page.locator('figure[aria-busy="false"] canvas').waitFor(); // it draws when loaded
}

/** How far the page is wider than its window. */
async function overflowPx(page: Page): Promise<number> {
  const width = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
  return Number(await page.evaluate(width));
}

const axeFile = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

async function axeViolations(page: Page): Promise<unknown> {
  await page.evaluate(await readFile(axeFile, "utf8"));
  return page.evaluate(`axe.run().then((result) => result.violations.map((violation) => ({
    rule: violation.id,
    nodes: violation.nodes.map((node) => node.html + " " + node.failureSummary),
  })))`);
}

async function shot(page: Page, name: string): Promise<void> {
  if (SHOTS === undefined) return;
  await page.screenshot({ path: join(SHOTS, `${name}.png`), fullPage: true });
}
