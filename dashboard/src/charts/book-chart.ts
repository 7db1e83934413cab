/** The auction of one slot: supply and demand as steps, and where they were cleared. */
import type { AnnotationOptions } from "chartjs-plugin-annotation";
import type { SlotDetail } from "../../../services/wire/api.ts";
import { t } from "../messages.ts";
import { closedCurve, ownPoint, priceRange } from "../model/steps.ts";
import * as locale from "../state/locale.ts";
import {
  type ChartHandle,
  type Colours,
  drawChart,
  fontFamily,
  type LineChartConfiguration,
  pageColours,
  stepTooltip,
} from "./chart-setup.ts";

export function drawBookChart(
  canvas: HTMLCanvasElement,
  detail: SlotDetail,
): ChartHandle<SlotDetail> {
  const colours = pageColours();
  const chart = drawChart(canvas, configuration(detail, colours));
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

function configuration(detail: SlotDetail, colours: Colours): LineChartConfiguration {
  const { lowUcPerWh, highUcPerWh } = priceRange(detail);
  const demand = closedCurve(detail.demand, lowUcPerWh);
  const supply = closedCurve(detail.supply, highUcPerWh);
  const endWh = Math.max(...[...demand, ...supply].map((point) => point.x), detail.tradedWh, 1);
  return {
    type: "line",
    data: {
      datasets: [
        side({ label: t("slot.demand"), data: demand, colour: colours.demand }),
        side({ label: t("slot.supply"), data: supply, colour: colours.supply }),
      ],
    },
    options: {
      responsive: true,
      maintainAspectRatio: false,
      animation: false,
      parsing: false,
      interaction: { mode: "nearest", axis: "xy", intersect: false },
      font: { family: fontFamily(), size: 12 },
      layout: { padding: { top: 8, right: 8 } },
      scales: {
        x: {
          ...axis({ title: t("slot.axisEnergy"), colours }),
          min: 0,
          max: endWh * 1.06,
          grid: { display: false },
          ticks: {
            color: colours.muted,
            maxTicksLimit: 7,
            includeBounds: false,
            maxRotation: 0,
            callback: (value) => String(Number((Number(value) / 1000).toFixed(3))),
          },
        },
        y: {
          ...axis({ title: t("unit.price"), colours }),
          min: lowUcPerWh,
          max: highUcPerWh,
          ticks: {
            color: colours.muted,
            maxTicksLimit: 7,
            includeBounds: false,
            callback: (value) => String(Number((Number(value) / 1000).toFixed(2))),
          },
        },
      },
      plugins: {
        tooltip: {
          displayColors: false,
          padding: 10,
          cornerRadius: 8,
          callbacks: {
            title: (items) => items[0]?.dataset.label ?? "",
            label: (item) =>
              t("slot.stepTooltip", {
                energy: locale.energy(Math.round(item.parsed.x ?? 0)),
                price: locale.price(Math.round(item.parsed.y ?? 0)),
              }),
          },
        },
        annotation: { annotations: annotations(detail, colours) },
      },
    },
  };
}

function side(form: { label: string; data: { x: number; y: number }[]; colour: string }) {
  const last = form.data.length - 2;
  return {
    label: form.label,
    data: form.data,
    borderColor: form.colour,
    borderWidth: 2.5,
    borderJoinStyle: "round" as const,
    pointRadius: 0,
    pointHitRadius: 10,
    fill: false,
    // The vertical where a side is exhausted is not an order.
    segment: {
      borderDash: (context: { p0DataIndex: number }) =>
        context.p0DataIndex === last ? [2, 4] : undefined,
    },
  };
}

function axis(form: { title: string; colours: Colours }) {
  return {
    type: "linear" as const,
    border: { color: form.colours.grid },
    grid: { color: form.colours.grid },
    title: { display: true, text: form.title, color: form.colours.muted },
  };
}

function annotations(detail: SlotDetail, colours: Colours): AnnotationOptions[] {
  const own = ownPoint(detail);
  return [
    ...sideLabels(detail, colours),
    ...clearingLines(detail, colours),
    ...(own === null ? [] : [ownMark(own, colours)]),
  ];
}

/**
 * Words at the curves' ends, so that colour is not what tells them apart: demand's at the foot,
 * supply's at the head, each beside its vertical and away from the chart's right edge.
 */
function sideLabels(detail: SlotDetail, colours: Colours): AnnotationOptions[] {
  const { lowUcPerWh, highUcPerWh } = priceRange(detail);
  const { demandWh, supplyWh } = curveEnds(detail);
  const label = (form: { content: string; x: number; y: number; yAdjust: number }) => {
    const isLast = form.x >= Math.max(demandWh, supplyWh);
    return {
      type: "label" as const,
      xValue: form.x,
      yValue: form.y,
      position: { x: isLast ? ("end" as const) : ("start" as const), y: "center" as const },
      xAdjust: isLast ? -4 : 4,
      yAdjust: form.yAdjust,
      content: form.content,
      color: colours.ink,
      font: { size: 12, weight: "bold" as const },
    };
  };
  const demand = { content: t("slot.demand"), x: demandWh, y: lowUcPerWh, yAdjust: -12 };
  const supply = { content: t("slot.supply"), x: supplyWh, y: highUcPerWh, yAdjust: 12 };
  return [...(demandWh > 0 ? [label(demand)] : []), ...(supplyWh > 0 ? [label(supply)] : [])];
}

function curveEnds(detail: SlotDetail): { demandWh: number; supplyWh: number } {
  const total = (steps: SlotDetail["supply"]) => steps.reduce((sum, s) => sum + s.energyWh, 0);
  return { demandWh: total(detail.demand), supplyWh: total(detail.supply) };
}

function clearingLines(detail: SlotDetail, colours: Colours): AnnotationOptions[] {
  if (detail.priceUcPerWh === null) return [];
  const line = { type: "line" as const, borderColor: colours.ink, borderWidth: 1 };
  const tag = {
    display: true,
    color: colours.surface,
    backgroundColor: colours.ink,
    borderRadius: 6,
    padding: { x: 8, y: 4 },
    font: { size: 12, weight: "bold" as const },
  };
  const price = `${locale.price(detail.priceUcPerWh)} ${t("unit.price")}`;
  const { demandWh, supplyWh } = curveEnds(detail);
  const quantity = `${locale.energy(detail.tradedWh)} ${t("unit.energy")}`;
  return [
    {
      ...line,
      scaleID: "y",
      value: detail.priceUcPerWh,
      borderDash: [6, 4],
      label: { ...tag, content: price, position: "end" },
    },
    {
      ...line,
      scaleID: "x",
      value: detail.tradedWh,
      borderDash: [6, 4],
      // Where the shorter side's label is not.
      label: { ...tag, content: quantity, position: demandWh <= supplyWh ? "start" : "end" },
    },
  ];
}

function ownMark(point: { x: number; y: number }, colours: Colours): AnnotationOptions {
  return {
    type: "point",
    xValue: point.x,
    yValue: point.y,
    radius: 7,
    pointStyle: "rectRot",
    backgroundColor: colours.own,
    borderColor: colours.surface,
    borderWidth: 2,
  };
}
