/**
 * Owns how tests speak with the work service: its rows over HTTP, and demands as other programs append them.
 *
 * **Invariants**
 * - A row that breaks the wire format fails the test that got it.
 */
import { expect } from "bun:test";
import type { Redis } from "ioredis";
import { ask, expectStatus, type Answer, type Asking, type Ports } from "./http.ts";

export interface WireRow {
  readonly id: number;
  readonly work_code: string;
  readonly add_up_to: number;
  readonly done: boolean;
  readonly result: number | null;
  readonly created_on: number;
  readonly updated_on: number;
}

const isSeconds = (value: unknown): boolean => Number.isInteger(value) && Number(value) > 1_700_000_000;

/** Each field of a row, and whether a value is right for it. */
const FIELDS: Readonly<Record<keyof WireRow, (value: unknown) => boolean>> = {
  id: (value) => Number.isInteger(value) && Number(value) >= 1,
  work_code: (value) => /^[A-Za-z0-9_-]{1,64}$/.test(String(value)),
  add_up_to: (value) => Number.isInteger(value),
  done: (value) => typeof value === "boolean",
  result: (value) => value === null || Number.isInteger(value),
  created_on: isSeconds,
  updated_on: isSeconds,
};

function readRow(value: unknown): WireRow {
  const row = value as WireRow;
  expect(Object.keys(row)).toEqual(Object.keys(FIELDS));
  for (const [name, isRight] of Object.entries(FIELDS)) {
    const field = row[name as keyof WireRow];
    if (!isRight(field)) throw new Error(`${name} is not ${JSON.stringify(field)}`);
  }
  if (row.done !== (row.result !== null)) throw new Error("done and result disagree");
  if (row.updated_on < row.created_on) throw new Error("updated before it was created");
  return row;
}

/** POST /work */
export function demand({ customers }: Pick<Ports, "customers">, draft?: object, asking: Asking = {}): Promise<Answer> {
  return ask(`${customers}/work`, { method: "POST", ...(draft ? { json: draft } : undefined), ...asking });
}

/** A demand's row as it was answered. */
export async function demandRow(ports: Pick<Ports, "customers">, draft?: object, asking?: Asking): Promise<WireRow> {
  const answer = await demand(ports, draft, asking);
  expectStatus(answer, 201);
  const row = readRow(answer.body);
  expect(answer.headers.location).toBe(`/work/${row.id}`);
  return row;
}

export async function findRow({ customers }: Pick<Ports, "customers">, id: number): Promise<WireRow> {
  const answer = await ask(`${customers}/work/${id}`);
  expectStatus(answer, 200);
  return readRow(answer.body);
}

/** All rows of a search, page by page. */
export async function searchRows({ customers }: Pick<Ports, "customers">, query = ""): Promise<WireRow[]> {
  const rows: WireRow[] = [];
  let cursor: string | null = "";
  while (cursor !== null) {
    const answer = await ask(`${customers}/work/search?limit=200&${query}${cursor && `&cursor=${cursor}`}`);
    expectStatus(answer, 200);
    const page = answer.body as { rows: unknown[]; cursor: string | null };
    rows.push(...page.rows.map(readRow));
    cursor = page.cursor;
  }
  return rows;
}

/** Appends demands as another program does: each the JSON text of one. Resolves to the entries' ids. */
export async function appendDemands(redis: Redis, shop: string, texts: readonly string[]): Promise<string[]> {
  const ids: string[] = [];
  for (let first = 0; first < texts.length; first += 1000) {
    const pipeline = redis.pipeline();
    for (const text of texts.slice(first, first + 1000)) pipeline.xadd(`{${shop}}:demands:work`, "*", "demand", text);
    for (const [error, id] of (await pipeline.exec()) ?? []) {
      if (error) throw error;
      ids.push(String(id));
    }
  }
  return ids;
}

/** 1 + 2 + … + `addUpTo`, without adding. */
export function sumTo(addUpTo: number): number {
  return (addUpTo * (addUpTo + 1)) / 2;
}
