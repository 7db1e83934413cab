/** The day's price as a stepped line between the feed-in and the retail price. */
import type { AnnotationOptions } from "chartjs-plugin-annotation";
import { t } from "../messages.ts";
import { type Day, hourTicks } from "../model/day.ts";
import type { Point, PriceSeries } from "../model/price-series.ts";
import * as locale from "../state/locale.ts";
import {
  type ChartHandle,
  type Colours,
  drawChart,
  faded,
  fontFamily,
  type LineChartConfiguration,
  pageColours,
  stepTooltip,
} from "./chart-setup.ts";

export type PriceChartModel = {
  readonly series: PriceSeries;
  readonly day: Day;
  readonly retailUcPerWh: number;
  readonly feedInUcPerWh: number;
};

const PHONE_PX = 480;

export function drawPriceChart(
  canvas: HTMLCanvasElement,
  model: PriceChartModel,
): ChartHandle<PriceChartModel> {
  const colours = pageColours();
  const chart = drawChart(canvas, configuration(model, colours));
  return {
    update(fresh) {
      const { data, options } = configuration(fresh, colours);
      chart.data = data;
      if (options) chart.options = options;
      chart.update("none");
    },
    step: (by) => stepTooltip(chart, 0, by),
    destroy: () => chart.destroy(),
  };
}

function configuration(model: PriceChartModel, colours: Colours): LineChartConfiguration {
  const { series, day } = model;
  const stepped = { stepped: "before" as const, pointRadius: 0, pointHitRadius: 12 };
  const side = { ...stepped, borderWidth: 1.5, fill: false };
  return {
    type: "line",
    data: {
      datasets: [
        {
          ...stepped,
          label: t("price.line"),
          data: drawn(series.price),
          borderColor: colours.price,
          borderWidth: 2.5,
          backgroundColor: faded(colours.price, 0.1),
          fill: { value: model.feedInUcPerWh },
        },
        {
          ...side,
          label: t("price.buy"),
          data: drawn(series.buy),
          borderColor: colours.demand,
          borderDash: [2, 3],
        },
        {
          ...side,
          label: t("price.sell"),
          data: drawn(series.sell),
          borderColor: colours.supply,
          borderDash: [7, 3],
        },
      ],
    },
    options: {
      responsive: true,
      maintainAspectRatio: false,
      animation: false,
      parsing: false,
      normalized: true,
      spanGaps: false,
      interaction: { mode: "nearest", axis: "x", intersect: false },
      font: { family: fontFamily(), size: 12 },
      scales: scales(model, colours, day),
      plugins: {
        tooltip: {
          displayColors: false,
          padding: 10,
          cornerRadius: 8,
          callbacks: {
            title: (items) => slotTitle(series, items[0]?.parsed.x ?? null),
            label: (item) =>
              `${item.dataset.label}: ${locale.price(item.parsed.y ?? 0)} ${t("unit.price")}`,
          },
        },
        annotation: { annotations: tariffs(model, colours) },
      },
    },
  };
}

type Scales = NonNullable<NonNullable<LineChartConfiguration["options"]>["scales"]>;

function scales(model: PriceChartModel, colours: Colours, day: Day): Scales {
  const { lowUcPerWh, highUcPerWh } = range(model);
  const everyHour = hourTicks(day, { everyHours: 1, zone: locale.zone() });
  const labels = new Map(everyHour.map((tick) => [tick.atS, tick.label]));
  return {
    x: {
      type: "linear",
      min: day.startS,
      max: day.endS,
      border: { color: colours.grid },
      grid: { display: false },
      ticks: {
        color: colours.muted,
        maxRotation: 0,
        autoSkip: false,
        callback: (value) => labels.get(Number(value)) ?? "",
      },
      afterBuildTicks: (axis) => {
        const everyHours = axis.width < PHONE_PX ? 6 : 3;
        const ticks = hourTicks(day, { everyHours, zone: locale.zone() });
        axis.ticks = ticks.map((tick) => ({ value: tick.atS }));
      },
    },
    y: {
      type: "linear",
      min: lowUcPerWh,
      max: highUcPerWh,
      border: { display: false },
      grid: { color: colours.grid },
      ticks: {
        color: colours.muted,
        maxTicksLimit: 6,
        includeBounds: false,
        callback: (value) => String(Number(value) / 1000),
      },
    },
  };
}

/** Whole steps of 5 ct around the tariffs and every price of the day. */
function range(model: PriceChartModel): { lowUcPerWh: number; highUcPerWh: number } {
  const { price, buy, sell } = model.series;
  const prices = [...price, ...buy, ...sell].flatMap((point) =>
    point.y === null ? [] : [point.y],
  );
  const low = Math.min(model.feedInUcPerWh, ...prices);
  const high = Math.max(model.retailUcPerWh, ...prices);
  const step = 5000;
  return {
    lowUcPerWh: low >= 0 ? 0 : Math.floor(low / step) * step,
    highUcPerWh: Math.ceil((high + step / 2) / step) * step,
  };
}

function tariffs(model: PriceChartModel, colours: Colours): AnnotationOptions[] {
  const line = (value: number, content: string): AnnotationOptions<"line"> => ({
    type: "line",
    scaleID: "y",
    value,
    borderColor: colours.muted,
    borderWidth: 1,
    borderDash: [5, 5],
    label: {
      display: true,
      content,
      position: "end",
      yAdjust: -10,
      padding: 2,
      color: colours.muted,
      backgroundColor: "transparent",
      font: { size: 11, weight: "normal" },
    },
  });
  const retail = locale.price(model.retailUcPerWh);
  const feedIn = locale.price(model.feedInUcPerWh);
  return [
    line(model.retailUcPerWh, t("price.retailLine", { price: retail })),
    line(model.feedInUcPerWh, t("price.feedInLine", { price: feedIn })),
  ];
}

function slotTitle(series: PriceSeries, atS: number | null): string {
  const slot = series.slots.find((s) => atS !== null && atS >= s.startS && atS < s.endS);
  const last = series.slots.at(-1);
  const shown = slot ?? (last?.endS === atS ? last : undefined);
  return shown === undefined ? "" : locale.span(shown);
}

function drawn(points: readonly Point[]): { x: number; y: number | null }[] {
  return points.map((point) => ({ x: point.x, y: point.y }));
}
