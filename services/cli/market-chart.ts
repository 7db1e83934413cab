/**
 * The supply and demand steps of every region as one SVG: asks rise, bids fall, and where they meet
 * stands the price. Drawn as text, so it needs no canvas and is the same on every machine.
 */
import type { OfflineInput, OfflineOrder, OfflineOutput } from "../market/offline-form.ts";

/** Regions drawn; a picture of more would show nothing. */
export const CHART_REGIONS_MAX = 24;

const WIDTH = 720;
const PANEL_HEIGHT = 300;
const MARGIN = { left: 84, right: 20, top: 44, bottom: 48 };
const PLOT = {
  width: WIDTH - MARGIN.left - MARGIN.right,
  height: PANEL_HEIGHT - MARGIN.top - MARGIN.bottom,
};
const INK = { text: "#1f2933", grid: "#d5dbe1", ask: "#b45309", bid: "#1d4ed8", price: "#111827" };

type Region = OfflineInput["regions"][number];
type Cleared = OfflineOutput["regions"][number];

/** One step: `energyWh` more at `limitUcPerWh`, starting where the last one ended. */
type Step = { readonly limitUcPerWh: number; readonly energyWh: number };

type Panel = {
  readonly region: Region;
  readonly cleared: Cleared;
  readonly asks: readonly Step[];
  readonly bids: readonly Step[];
  readonly inflowWh: number; // > 0: comes over lines or from the retailer, at any price
  readonly x: (energyWh: number) => number; // pixels
  readonly y: (priceUcPerWh: number) => number;
  readonly energyWh: number; // right end of the axis
  readonly prices: readonly [number, number]; // ends of the axis
};

/** The first CHART_REGIONS_MAX regions, one panel each, top to bottom. */
export function marketChartSvg(market: {
  readonly input: OfflineInput;
  readonly output: OfflineOutput;
}): string {
  const regions = market.input.regions.slice(0, CHART_REGIONS_MAX);
  const height = Math.max(1, regions.length) * PANEL_HEIGHT;
  const title = `Supply and demand of ${regions.length} region${regions.length === 1 ? "" : "s"}`;
  const panels = regions.map((region, r) => {
    const drawn = drawPanel(layOut(region, market.output.regions[r]!));
    return `<g transform="translate(0 ${r * PANEL_HEIGHT})">${drawn}</g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}"`,
    ` height="${height}" role="img" aria-label="${title}" font-family="sans-serif"`,
    ` font-size="12" fill="${INK.text}">`,
    `<title>${title}</title><rect width="100%" height="100%" fill="#ffffff"/>`,
    ...panels,
    "</svg>\n",
  ].join("");
}

function layOut(region: Region, cleared: Cleared): Panel {
  const asks = steps(region.orders, "ask");
  const bids = steps(region.orders, "bid").reverse();
  const inflowWh = cleared.boughtWh - cleared.soldWh;
  const width = (list: readonly Step[], first: number) =>
    list.reduce((sum, step) => sum + step.energyWh, Math.max(0, first));
  // An outside node offers without limit: show what matters around the trade, not all it could do.
  const offeredWh = Math.max(width(asks, inflowWh), width(bids, -inflowWh));
  const tradedWh = Math.max(cleared.boughtWh, cleared.soldWh);
  const energyWh = Math.max(1, tradedWh > 0 ? Math.min(offeredWh, 4 * tradedWh) : offeredWh);
  const limits = [...asks, ...bids].map((step) => step.limitUcPerWh);
  const low = limits.reduce((least, limit) => Math.min(least, limit), 0);
  const high = limits.reduce((most, limit) => Math.max(most, limit), low + 1);
  return {
    region,
    cleared,
    asks,
    bids,
    inflowWh,
    x: (wh) => MARGIN.left + (Math.min(wh, energyWh) / energyWh) * PLOT.width,
    y: (price) => MARGIN.top + ((high - price) / (high - low)) * PLOT.height,
    energyWh,
    prices: [low, high],
  };
}

/** Orders of one side as steps by ascending limit, equal limits together. */
function steps(orders: readonly OfflineOrder[], side: OfflineOrder["side"]): Step[] {
  const sums = new Map<number, number>();
  for (const order of orders) {
    if (order.side !== side) continue;
    sums.set(order.limitUcPerWh, (sums.get(order.limitUcPerWh) ?? 0) + order.energyWh);
  }
  const sorted = [...sums].sort(([one], [two]) => one - two);
  return sorted.map(([limitUcPerWh, energyWh]) => ({ limitUcPerWh, energyWh }));
}

function drawPanel(panel: Panel): string {
  const { region, cleared } = panel;
  const { priceUcPerWh, boughtWh, soldWh } = cleared;
  const outcome =
    priceUcPerWh === null ? "no trade" : `price ${priceUcPerWh.toLocaleString("en")} uc/Wh`;
  const [bought, sold] = [boughtWh, soldWh].map((wh) => wh.toLocaleString("en"));
  const volume = `bought ${bought} Wh, sold ${sold} Wh`;
  const heading = `${escapeText(region.id)}: ${outcome}, ${volume}`;
  return [
    `<text x="${MARGIN.left}" y="18" font-weight="bold">${heading}</text>`,
    drawLegend(),
    drawAxes(panel),
    drawInflow(panel),
    drawCurve(panel, panel.asks, { color: INK.ask, startWh: Math.max(0, panel.inflowWh) }),
    drawCurve(panel, panel.bids, { color: INK.bid, startWh: Math.max(0, -panel.inflowWh) }),
    drawPrice(panel),
  ].join("");
}

function drawLegend(): string {
  const y = 34;
  const entry = (x: number, color: string, label: string, dash: string) =>
    `<line x1="${x}" x2="${x + 22}" y1="${y - 4}" y2="${y - 4}" stroke="${color}"` +
    ` stroke-width="2"${dash}/><text x="${x + 28}" y="${y}">${label}</text>`;
  return [
    entry(MARGIN.left, INK.ask, "asks", ""),
    entry(MARGIN.left + 90, INK.bid, "bids", ""),
    entry(MARGIN.left + 180, INK.price, "price", ' stroke-dasharray="5 4"'),
  ].join("");
}

function drawAxes(panel: Panel): string {
  const [left, right] = [MARGIN.left, WIDTH - MARGIN.right];
  const bottom = MARGIN.top + PLOT.height;
  const rows = ticks(panel.prices[0], panel.prices[1]).map((price) => {
    const y = fixed(panel.y(price));
    return (
      `<line x1="${left}" x2="${right}" y1="${y}" y2="${y}" stroke="${INK.grid}"/>` +
      `<text x="${left - 8}" y="${y}" dy="4" text-anchor="end">${price.toLocaleString("en")}</text>`
    );
  });
  const columns = ticks(0, panel.energyWh).map((wh) => {
    const x = fixed(panel.x(wh));
    return (
      `<line x1="${x}" x2="${x}" y1="${bottom}" y2="${bottom + 5}" stroke="${INK.text}"/>` +
      `<text x="${x}" y="${bottom + 18}" text-anchor="middle">${wh.toLocaleString("en")}</text>`
    );
  });
  const middle = MARGIN.top + PLOT.height / 2;
  return [
    ...rows,
    ...columns,
    `<line x1="${left}" x2="${right}" y1="${bottom}" y2="${bottom}" stroke="${INK.text}"/>`,
    `<text x="${(left + right) / 2}" y="${bottom + 36}" text-anchor="middle">energy, Wh</text>`,
    `<text transform="translate(14 ${middle}) rotate(-90)" text-anchor="middle">`,
    "price, uc/Wh</text>",
  ].join("");
}

/** About five round numbers from low to high. */
function ticks(low: number, high: number): number[] {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(Math.max(1, rough)));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= rough)! * power;
  const found: number[] = [];
  // Adding 0 makes 0 of -0, which would be drawn with its sign.
  for (let at = Math.ceil(low / step) * step + 0; at <= high; at += step) found.push(at);
  return found;
}

/** What arrives over lines, or leaves, trades at any price: a band at the left of its curve. */
function drawInflow(panel: Panel): string {
  const { inflowWh, x } = panel;
  if (inflowWh === 0) return "";
  const right = x(Math.abs(inflowWh));
  const color = inflowWh > 0 ? INK.ask : INK.bid;
  const label = inflowWh > 0 ? "inflow" : "outflow";
  const width = fixed(right - MARGIN.left);
  return (
    `<rect x="${MARGIN.left}" y="${MARGIN.top}" width="${width}" height="${PLOT.height}"` +
    ` fill="${color}" opacity="0.08"/><text x="${MARGIN.left + 6}"` +
    ` y="${MARGIN.top + PLOT.height - 8}">${label}</text>`
  );
}

function drawCurve(
  panel: Panel,
  list: readonly Step[],
  style: { readonly color: string; readonly startWh: number },
): string {
  if (list.length === 0) return "";
  let wh = style.startWh;
  let path = `M${fixed(panel.x(wh))} ${fixed(panel.y(list[0]!.limitUcPerWh))}`;
  let last = path;
  for (const step of list) {
    const y = fixed(panel.y(step.limitUcPerWh));
    wh += step.energyWh;
    // A million orders are not a million points: what would fall on the same pixel is left out.
    const next = `V${y}H${fixed(panel.x(wh))}`;
    if (next !== last) path += next;
    last = next;
    if (wh >= panel.energyWh) break;
  }
  return `<path d="${path}" fill="none" stroke="${style.color}" stroke-width="2"/>`;
}

function drawPrice(panel: Panel): string {
  const { priceUcPerWh } = panel.cleared;
  if (priceUcPerWh === null) return "";
  const y = fixed(panel.y(priceUcPerWh));
  return (
    `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${y}" y2="${y}"` +
    ` stroke="${INK.price}" stroke-dasharray="5 4"/>`
  );
}

/** Tenths of a pixel: finer than any screen, and equal points become equal text. */
function fixed(pixels: number): string {
  return String(Math.round(pixels * 10) / 10);
}

function escapeText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
