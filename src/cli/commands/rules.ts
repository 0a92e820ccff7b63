/**
 * `longpour rules` and `longpour replay`: how the rules of a server go, their dead letters, and another try of these.
 *
 * **Invariants**
 * - A list is a line a rule or dead letter; with `--json` a line of JSON each.
 */
import type { Command } from "@commander-js/extra-typings";
import { Type, type Static, type TSchema } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import type { Accept } from "../../client/ask.ts";
import { define } from "../define.ts";
import { WrongUsage } from "../failure.ts";
import { asking, staffPort, staffTokenOption, staffUrlOption, withQuery } from "../server.ts";
import type { Terminal } from "../terminal.ts";

const Rule = Type.Object({
  name: Type.String(),
  state: Type.String(),
  target: Type.Object({ kind: Type.String(), url: Type.Optional(Type.String()), stream: Type.Optional(Type.String()) }),
  lag: Type.Integer(),
  retrying: Type.Integer(),
  dead: Type.Integer(),
  lost: Type.Integer(),
  last_failure: Type.Union([Type.Object({ why: Type.String(), at: Type.String() }), Type.Null()]),
});
type Rule = Static<typeof Rule>;

const Dead = Type.Object({
  event_id: Type.String(),
  type: Type.String(),
  order_id: Type.Optional(Type.String()),
  died_at: Type.String(),
  tries: Type.Integer(),
  why: Type.String(),
});
type Dead = Static<typeof Dead>;

const RuleList = Type.Object({ rules: Type.Array(Rule) });
const DeadPage = Type.Object({ dead: Type.Array(Dead), cursor: Type.Union([Type.String(), Type.Null()]) });
const Replayed = Type.Object({ replayed: Type.Integer(), left: Type.Integer() });

/** As many as a page may have. */
const PAGE = 200;

function accept<Schema extends TSchema>(schema: Schema): Accept<Static<Schema>> {
  return ({ ok, json }) => (ok && Value.Check(schema, json) ? { kind: "done", value: json } : undefined);
}

export function addRules(program: Command, terminal: Terminal): void {
  define(program, "rules", {
    about: "Lists the rules of the server and how they go, or the dead letters of one rule, newest first.",
    examples: ["longpour rules", "longpour rules order-started", "longpour rules order-started --resume"],
  })
    .argument("[name]", "the rule whose dead letters are listed")
    .option("--resume", "goes on with the rule, where it ended because its target answered 410")
    .addOption(staffUrlOption())
    .addOption(staffTokenOption())
    .action(async (name, { resume = false, json = false, ...where }) => {
      if (resume && name === undefined) throw new WrongUsage("rules --resume takes the name of a rule");
      const ask = asking(staffPort(where), terminal);
      const print = (shown: object, line: string): void => terminal.print(json ? JSON.stringify(shown) : line);
      if (name === undefined) {
        const { rules } = await ask({ path: "/rules" }, accept(RuleList));
        for (const rule of rules) print(rule, describeRule(rule));
        if (rules.length === 0) terminal.note("the server has no rules: RULES_FILE names a file of them");
        return;
      }
      const path = `/rules/${encodeURIComponent(name)}`;
      if (resume) {
        const rule = await ask({ path: `${path}/resume`, method: "POST" }, accept(Rule));
        print(rule, describeRule(rule));
        return;
      }
      let count = 0;
      let cursor: string | undefined;
      do {
        const page = await ask({ path: withQuery(`${path}/dead`, { limit: `${PAGE}`, cursor }) }, accept(DeadPage));
        for (const dead of page.dead) print(dead, describeDead(dead));
        count += page.dead.length;
        cursor = page.cursor ?? undefined;
      } while (cursor !== undefined);
      if (count === 0) terminal.note("none");
    });
}

export function addReplay(program: Command, terminal: Terminal): void {
  define(program, "replay", {
    about: "Delivers dead letters of a rule again: all of them, or one.",
    examples: ["longpour replay order-started", "longpour replay order-started 1763631000120-17"],
  })
    .argument("<rule>", "the rule's name")
    .argument("[event]", "the event's id")
    .addOption(staffUrlOption())
    .addOption(staffTokenOption())
    .action(async (rule, event, { json = false, ...where }) => {
      const ask = asking(staffPort(where), terminal);
      const path = withQuery(`/rules/${encodeURIComponent(rule)}/replay`, { event_id: event });
      // It ends once it has replayed as many as there were: some may be dead again meanwhile.
      let [replayed, left, most] = [0, 0, Infinity];
      while (replayed < most) {
        const round = await ask({ path, method: "POST" }, accept(Replayed));
        replayed += round.replayed;
        ({ left } = round);
        most = Math.min(most, replayed + left);
        if (event !== undefined || round.replayed === 0) break;
      }
      terminal.print(json ? JSON.stringify({ replayed, left }) : `${replayed} on their way again; ${left} left`);
    });
}

function describeRule({ name, state, target, lag, retrying, dead, lost, last_failure: failure }: Rule): string {
  const parts = [
    state === "ended" ? "ended" : `${lag} to deliver`,
    ...(retrying > 0 ? [`${retrying} being tried again`] : []),
    `${dead} dead`,
    ...(lost > 0 ? [`${lost} lost`] : []),
    ...(failure && (retrying > 0 || state === "ended") ? [`last failure: ${failure.why}`] : []),
  ];
  return `${name}: ${target.url ?? target.stream ?? target.kind}: ${parts.join("; ")}`;
}

function describeDead({ event_id: id, type, order_id: orderId, died_at: at, tries, why }: Dead): string {
  return [id, type, ...(orderId ? [orderId] : []), `given up ${at} after ${tries} tries: ${why}`].join("  ");
}
