/**
 * Owns the arguments of a list of a day, a page at a time.
 *
 * **Invariants**
 * - A page is bounded, and `cursor` goes on after it.
 */
import { Type } from "@sinclair/typebox";
import { DATE } from "../../formats.ts";
import { InvalidInputError } from "../../problem.ts";
import { CURSOR_GONE } from "../answers.ts";
import { Cursor, PAGE_LIMIT, PageLimit } from "../parameters.ts";
import type { Builder } from "./builder.ts";

export const PAGE_ARGUMENTS = {
  date: Type.Optional(Type.String({ format: DATE, description: "a day (UTC) such as 2026-11-20" })),
  first: Type.Optional(PageLimit),
  after: Type.Optional(Cursor),
};

/** The field of a page that goes on after it. */
export const CURSOR_FIELD = { nullable: true, description: "Goes on after this page; null on the last one." } as const;

type QueryFields = Parameters<Parameters<Builder["queryFields"]>[0]>[0];

export function pageArgumentsOf(t: QueryFields) {
  return {
    date: t.arg.string({ description: "A day (UTC); today without it." }),
    first: t.arg.int({ defaultValue: PAGE_LIMIT, description: "At most so many: 1 to 200." }),
    after: t.arg.id({ description: "The cursor of the page before." }),
  };
}

export function cursorGone(): InvalidInputError {
  return new InvalidInputError([{ ...CURSOR_GONE, field: "after" }]);
}
