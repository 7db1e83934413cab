/** Supply and demand of a slot, with the sentence and the table that say the same. */
import type { CurveStep, SlotDetail } from "../../../services/wire/api.ts";
import { t } from "../messages.ts";
import { ownPoint } from "../model/steps.ts";
import * as locale from "../state/locale.ts";
import { ChartFigure } from "./chart-figure.tsx";

const loadBookChart = () =>
  import("../charts/book-chart.ts").then((module) => module.drawBookChart);

export function BookFigure({ detail }: { detail: SlotDetail }) {
  if (detail.supply.length + detail.demand.length === 0) {
    return <p class="empty">{t(detail.suppressed ? "slot.suppressed" : "slot.noCurve")}</p>;
  }
  const caption = captionOf(detail);
  return (
    <>
      <ChartFigure
        model={detail}
        load={loadBookChart}
        label={t("slot.aria", { span: locale.span(detail), caption })}
        caption={caption}
        legend={
          <ul class="legend">
            <li data-line="demand">{t("slot.demand")}</li>
            <li data-line="supply">{t("slot.supply")}</li>
            {ownPoint(detail) !== null && <li data-line="own">{t("slot.ownOrder")}</li>}
          </ul>
        }
        table={<BookTable detail={detail} />}
      />
      <p class="note">{t(detail.suppressed ? "slot.suppressed" : "slot.steps")}</p>
    </>
  );
}

function captionOf(detail: SlotDetail): string {
  const facts = {
    demand: locale.energy(detail.importWh),
    supply: locale.energy(detail.exportWh),
    matched: locale.energy(detail.tradedWh),
  };
  if (detail.priceUcPerWh === null) return t("slot.captionNone", facts);
  return t("slot.caption", { ...facts, price: locale.price(detail.priceUcPerWh) });
}

function BookTable({ detail }: { detail: SlotDetail }) {
  const rows = (steps: readonly CurveStep[], side: string) =>
    steps.map((step) => (
      <tr key={`${side} ${step.priceUcPerWh}`}>
        <th scope="row">{side}</th>
        <td>{locale.price(step.priceUcPerWh)}</td>
        <td>{locale.energy(step.energyWh)}</td>
        <td>{locale.count(step.meters)}</td>
      </tr>
    ));
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">{t("slot.tableSide")}</th>
          <th scope="col">{t("slot.tableLimit")}</th>
          <th scope="col">{t("slot.tableEnergy")}</th>
          <th scope="col">{t("slot.tableMeters")}</th>
        </tr>
      </thead>
      <tbody>
        {rows(detail.demand, t("slot.demand"))}
        {rows(detail.supply, t("slot.supply"))}
      </tbody>
    </table>
  );
}
