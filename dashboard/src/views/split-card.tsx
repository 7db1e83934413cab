/** One split of energy: a bar of three parts for each party, and the same as a table. */
import type { ComponentChildren } from "preact";
import { type MessageKey, t } from "../messages.ts";
import type { Part, Source, Split } from "../model/split.ts";
import * as locale from "../state/locale.ts";

export type Direction = "to" | "from";
export type Party = { readonly name: string; readonly split: Split };

const SOURCES: readonly Source[] = ["own", "neighbourhood", "utility"];

export function SplitCard(props: {
  title: string;
  direction: Direction;
  audience: "member" | "public";
  parties: readonly Party[];
}) {
  const { direction, parties } = props;
  const naming = namingOf(direction, props.audience);
  const unseen = parties.some((party) => party.split.parts[0].energyWh === null);
  return (
    <article class="card split">
      <h3>{props.title}</h3>
      <div class="split-parties">
        {parties.map((party) => (
          <PartyBar key={party.name} party={party} direction={direction} naming={naming} />
        ))}
      </div>
      <table class="split-table" data-parties={parties.length}>
        <thead>
          <tr>
            <th scope="col">
              <span class="visually-hidden">{t("split.part")}</span>
            </th>
            {parties.map((party) => (
              <th key={party.name} scope="col">
                {party.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {SOURCES.map((source, i) => (
            <tr key={source}>
              <th scope="row">
                <span class="source-name">
                  <span class="swatch" data-source={source} aria-hidden="true" />
                  {t(naming[source])}
                </span>
              </th>
              {parties.map((party) => (
                <PartCell key={party.name} part={party.split.parts[i]!} direction={direction} />
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {unseen && <p class="note">{t("split.noMeter")}</p>}
    </article>
  );
}

type Naming = Readonly<Record<Source, MessageKey>>;

function namingOf(direction: Direction, audience: "member" | "public"): Naming {
  const stem =
    audience === "member"
      ? (`split.${direction}` as const)
      : (`split.public${direction === "to" ? "To" : "From"}` as const);
  return {
    own: `${stem}.own`,
    neighbourhood: `${stem}.neighbourhood`,
    utility: `${stem}.utility`,
  };
}

function PartyBar(props: { party: Party; direction: Direction; naming: Naming }) {
  const { party, direction, naming } = props;
  const { split, name } = party;
  const money = locale.money(split.moneyUc);
  return (
    <div class="split-party">
      <p class="split-who">{name}</p>
      <p class="split-total">
        <Figure value={locale.energy(split.totalWh)} unit={t("unit.energy")} />
        <span class="split-money">
          {t(direction === "to" ? "split.earned" : "split.paid", { money })}
        </span>
      </p>
      {split.totalWh === 0 ? (
        <p class="bar bar-empty">
          {t(direction === "to" ? "split.noneProduced" : "split.noneConsumed")}
        </p>
      ) : (
        <div class="bar" role="img" aria-label={barLabel(party, naming)}>
          {split.parts.map((part) =>
            part.energyWh ? (
              <span
                key={part.source}
                data-source={part.source}
                style={{ flexGrow: part.energyWh / split.totalWh }}
              />
            ) : null,
          )}
        </div>
      )}
    </div>
  );
}

export function Figure(props: { value: ComponentChildren; unit: string }) {
  return (
    <span class="figure">
      {props.value} <small>{props.unit}</small>
    </span>
  );
}

function PartCell({ part, direction }: { part: Part; direction: Direction }) {
  if (part.energyWh === null || part.moneyUc === null) return <td>{t("value.none")}</td>;
  const money = locale.money(part.moneyUc);
  const saved = part.source === "own" && direction === "to";
  return (
    <td>
      <span class="cell-energy">
        {locale.energy(part.energyWh)} <small>{t("unit.energy")}</small>
      </span>
      <span class="cell-money">{saved ? t("split.saved", { money }) : money}</span>
    </td>
  );
}

function barLabel({ name, split }: Party, naming: Naming): string {
  const parts = split.parts.flatMap((part) =>
    part.energyWh === null
      ? []
      : t("split.barPart", {
          name: t(naming[part.source]),
          share: locale.share(part.energyWh / split.totalWh) ?? "",
        }),
  );
  return t("split.bar", { who: name, parts: parts.join(", ") });
}
