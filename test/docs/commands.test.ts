/** docs/command-line.md lists the commands of the program: no more, and no less. */
import { expect, test } from "bun:test";
import { lookAtProgram, renderCommands } from "./commands.ts";
import { COMMAND_LINE } from "./documents.ts";
import { writeBlocks } from "./render.ts";

/** Without the spaces that align a table. */
const plain = (text: string): string => text.replaceAll(/ +\|/g, " |").replaceAll(/-{3,}/g, "---");

test("its generated part is what the program says: `bun run docs` writes it anew", async () => {
  const text = await Bun.file(COMMAND_LINE).text();
  expect(plain(text)).toBe(plain(writeBlocks(text, renderCommands())));
});

test("each command has a line in it", () => {
  const [table = ""] = renderCommands().values();
  const names = lookAtProgram().commands.map((command) => command.name());
  expect(names.length).toBeGreaterThan(15);
  for (const name of names) expect(table).toMatch(new RegExp(`^\\| \`longpour ${name}[ \`]`, "m"));
});
