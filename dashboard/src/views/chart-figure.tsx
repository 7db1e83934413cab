/**
 * A chart with its sentence and its table. The canvas is a picture with a text; arrow keys move
 * its tooltip; the table holds the same numbers. The drawing code loads with the first chart.
 */
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { ChartHandle } from "../charts/chart-setup.ts";
import { t } from "../messages.ts";
import { theme } from "../state/theme.ts";
import { Failure } from "./failure.tsx";

export type Draw<Model> = (canvas: HTMLCanvasElement, model: Model) => ChartHandle<Model>;

export function ChartFigure<Model>(props: {
  model: Model;
  load: () => Promise<Draw<Model>>;
  label: string;
  caption: string;
  legend?: ComponentChildren;
  table: ComponentChildren;
}) {
  const { model, load } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const handle = useRef<ChartHandle<Model> | null>(null);
  const latest = useRef(model);
  const drawn = useSignal(false);
  const failed = useSignal(false);
  const attempt = useSignal(0);
  latest.current = model;

  useEffect(() => {
    let gone = false;
    load().then(
      (draw) => {
        if (gone || !canvas.current) return;
        handle.current = draw(canvas.current, latest.current);
        drawn.value = true;
      },
      () => {
        failed.value = true;
      },
    );
    return () => {
      gone = true;
      handle.current?.destroy();
      handle.current = null;
    };
  }, [theme.value, attempt.value]);
  useEffect(() => handle.current?.update(model), [model]);

  const onKeyDown = (event: KeyboardEvent) => {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : null;
    if (by === null) return;
    event.preventDefault();
    handle.current?.step(by);
  };
  const retry = () => {
    failed.value = false;
    attempt.value++;
  };
  return (
    <figure class="chart" aria-busy={!drawn.value && !failed.value}>
      {failed.value ? (
        <Failure sentence={t("error.chart")} retry={retry} />
      ) : (
        <div class="chart-canvas">
          <canvas
            ref={canvas}
            role="img"
            aria-label={props.label}
            tabIndex={0}
            onKeyDown={onKeyDown}
          />
        </div>
      )}
      {props.legend}
      <figcaption>{props.caption}</figcaption>
      <details class="twin">
        <summary>{t("table.show")}</summary>
        <div class="twin-scroll">{props.table}</div>
      </details>
    </figure>
  );
}
