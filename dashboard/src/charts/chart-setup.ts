/**
 * Chart.js with the parts that we draw with, and the colours of the page. Loaded only where a
 * chart is on the page.
 */
import {
  Chart,
  type ChartConfiguration,
  Filler,
  LinearScale,
  LineController,
  LineElement,
  PointElement,
  Tooltip,
} from "chart.js";
import annotationPlugin from "chartjs-plugin-annotation";

Chart.register(LineController, LineElement, PointElement, LinearScale, Tooltip, Filler);
Chart.register(annotationPlugin);

export type LineChart = Chart<"line", { x: number; y: number | null }[]>;
export type LineChartConfiguration = ChartConfiguration<"line", { x: number; y: number | null }[]>;

/** What a chart module hands back to the page. */
export type ChartHandle<Model> = {
  update(model: Model): void;
  /** Moves the tooltip by one point, for the arrow keys. */
  step(by: 1 | -1): void;
  destroy(): void;
};

const NAMES = ["ink", "muted", "grid", "surface", "price", "demand", "supply", "own"] as const;
export type Colours = Readonly<Record<(typeof NAMES)[number], string>>;

/** The page's custom properties as colours that a canvas understands, in the theme of now. */
export function pageColours(): Colours {
  const probe = document.createElement("span");
  document.body.append(probe);
  const entries = NAMES.map((name) => {
    probe.style.color = `var(--chart-${name})`;
    return [name, getComputedStyle(probe).color];
  });
  probe.remove();
  return Object.fromEntries(entries) as Colours;
}

export function fontFamily(): string {
  return getComputedStyle(document.body).fontFamily;
}

/** `rgb(r, g, b)` with an opacity. */
export function faded(colour: string, opacity: number): string {
  const channels = colour.match(/[\d.]+/g)?.slice(0, 3) ?? ["0", "0", "0"];
  return `rgba(${channels.join(", ")}, ${opacity})`;
}

export function drawChart(canvas: HTMLCanvasElement, config: LineChartConfiguration): LineChart {
  return new Chart(canvas, config);
}

/** Moves the tooltip along the points of one line that have a value. */
export function stepTooltip(chart: LineChart, datasetIndex: number, by: 1 | -1): void {
  const points = chart.data.datasets[datasetIndex]?.data ?? [];
  const indices = points.flatMap((point, i) => (point.y === null ? [] : [i]));
  if (indices.length === 0) return;
  const active = chart.tooltip?.getActiveElements().find((e) => e.datasetIndex === datasetIndex);
  const from = active === undefined ? -1 : indices.indexOf(active.index);
  const last = indices.length - 1;
  const to = from === -1 ? (by === 1 ? 0 : last) : Math.min(last, Math.max(0, from + by));
  const index = indices[to] ?? 0;
  const element = chart.getDatasetMeta(datasetIndex).data[index];
  if (element === undefined) return;
  const elements = [{ datasetIndex, index }];
  chart.setActiveElements(elements);
  chart.tooltip?.setActiveElements(elements, { x: element.x, y: element.y });
  chart.update("none");
}
